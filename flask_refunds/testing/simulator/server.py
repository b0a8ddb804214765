"""The HTTP server: HTTP/1.1 with keep-alive, one thread per connection, loopback only."""

import contextlib
import json
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from flask_refunds.testing.simulator import wire
from flask_refunds.testing.simulator.control import Control
from flask_refunds.testing.simulator.gateway import Gateway, Reply, Stopped

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Braintree simulator</title>
<h1>This is a simulator, not Braintree</h1>
<p>It belongs to Flask-Refunds and answers like Braintree's gateway API, so that a shop can be
tried and tested without an account. <strong>No money moves here.</strong></p>
<p>What it has done: <a href="/_simulator/audit">/_simulator/audit</a>. Merchant: {merchant}.</p>
</html>
"""


class Handler(BaseHTTPRequestHandler):
    """Reads one request after the other from a connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: "Server"

    def setup(self) -> None:
        """Enter the connection in the server's list, so that stopping can end it."""
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        """Leave the list."""
        self.server.closed(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def version_string(self) -> str:
        """Say in every answer what this is."""
        return "Flask-Refunds Braintree simulator"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet; ``/_simulator/requests`` is the log."""

    def do_GET(self) -> None:
        """Answer any request; the other methods are the same."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        try:
            self._send(self._reply(body))
        except Stopped:
            self._hang_up()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the base's naming

    def _reply(self, body: bytes) -> Reply:
        gateway, path = self.server.gateway, self.path.partition("?")[0]
        if gateway.stopping.is_set():
            raise Stopped
        if path == "/":
            page = _PAGE.format(merchant=gateway.credentials.merchant_id).encode()
            return Reply(200, page, "text/html; charset=utf-8")
        if path.startswith("/_simulator/"):
            name = path.removeprefix("/_simulator/")
            status, answer = self.server.control.respond(self.command, name, body)
            return Reply(status, json.dumps(answer).encode(), "application/json")
        try:
            return gateway.respond(self.command, path, self.headers.get("Authorization", ""), body)
        except wire.Malformed as error:
            return Reply(400, str(error).encode(), "text/plain")

    def _send(self, reply: Reply) -> None:
        if reply.drop:
            return self._hang_up()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.cut:
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.wfile.flush()
            return self._hang_up()
        self.wfile.write(reply.body)
        self.wfile.flush()
        return None

    def _hang_up(self) -> None:
        """End the connection at once."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Server(ThreadingHTTPServer):
    """Serves one :class:`Gateway` and its control endpoint."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], gateway: Gateway) -> None:
        self.gateway, self.control = gateway, Control(gateway)
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, Handler)

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection."""
        with self._connections_lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._connections_lock:
            self._connections.discard(connection)

    def hang_up_all(self) -> None:
        """End every connection, kept-alive ones too: a stopped server answers nobody."""
        with self._connections_lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Let a caller who went away go in peace; show anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
