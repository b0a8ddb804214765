"""HTTP servers of our own that stand in for a gateway: HTTP/1.1, keep-alive, loopback only."""

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Reply:
    """What goes over the wire. ``drop``: nothing at all. ``cut``: half of it."""

    status: int
    body: bytes = b""
    content_type: str = "application/xml; charset=utf-8"
    drop: bool = False
    cut: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


DROPPED = Reply(0, drop=True)
PAGE = b"<!doctype html><title>Proxy</title><h1>Something is in between</h1>"
"""What a caller gets from something that is not the gateway."""


class Stopped(Exception):
    """The server stops; what was waiting is never done, as when a gateway loses a request."""


class Talker(BaseHTTPRequestHandler):
    """Reads one request after the other from a connection; a thread each."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: "Listener"

    def reply(self, body: bytes) -> Reply:
        """Return the answer to the request whose *body* was read. Raises :exc:`Stopped`."""
        raise NotImplementedError

    def setup(self) -> None:
        """Enter the connection in the server's list, so that stopping can end it."""
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        """Leave the list."""
        self.server.closed(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet: a server of ours keeps its own log."""

    def do_GET(self) -> None:
        """Answer any request; the other methods are the same."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        try:
            self._send(self.reply(body))
        except Stopped:
            self._hang_up()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the base's naming

    def _send(self, reply: Reply) -> None:
        if reply.drop:
            return self._hang_up()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
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


class Listener(ThreadingHTTPServer):
    """Serves until it is stopped, and knows its connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], talker: type[Talker]) -> None:
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, talker)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def begin(self) -> None:
        """Begin to serve, in a thread."""
        self._thread.start()

    def end(self) -> None:
        """Stop serving and hang up on everybody."""
        self.shutdown()
        self._thread.join()
        self.hang_up_all()
        self.server_close()

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
