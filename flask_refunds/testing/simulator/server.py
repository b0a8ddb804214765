"""The HTTP server: HTTP/1.1 with keep-alive, one thread per connection, loopback only."""

import json

from flask_refunds.testing.serving import Listener, Reply, Stopped, Talker
from flask_refunds.testing.simulator import wire
from flask_refunds.testing.simulator.control import Control
from flask_refunds.testing.simulator.gateway import Gateway

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Braintree simulator</title>
<h1>This is a simulator, not Braintree</h1>
<p>It belongs to Flask-Refunds and answers like Braintree's gateway API, so that a shop can be
tried and tested without an account. <strong>No money moves here.</strong></p>
<p>What it has done: <a href="/_simulator/audit">/_simulator/audit</a>. Merchant: {merchant}.</p>
</html>
"""


class Handler(Talker):
    """Answers for the gateway and for the control endpoint, whose log is ``requests``."""

    server: "Server"

    def version_string(self) -> str:
        """Say in every answer what this is."""
        return "Flask-Refunds Braintree simulator"

    def reply(self, body: bytes) -> Reply:
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


class Server(Listener):
    """Serves one :class:`Gateway` and its control endpoint."""

    def __init__(self, address: tuple[str, int], gateway: Gateway) -> None:
        self.gateway, self.control = gateway, Control(gateway)
        super().__init__(address, Handler)
