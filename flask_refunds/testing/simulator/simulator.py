"""The simulator in a thread of this process."""

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flask_refunds.testing.simulator.client import SimulatorClient
from flask_refunds.testing.simulator.gateway import Credentials, Gateway
from flask_refunds.testing.simulator.server import Server
from flask_refunds.testing.simulator.store import Store


class Simulator:
    """A Braintree simulator on the loopback interface; a context manager.

    *path* is its SQLite file (``None``: kept in memory, gone when stopped), *port* its port
    (0: a free one). A second simulator on the same file knows what the first one did; faults
    and held requests are not kept. Example::

        with Simulator() as simulator:
            app.config.update(simulator.gateway_config())
    """

    def __init__(
        self,
        path: str | Path | None = None,
        port: int = 0,
        *,
        merchant_id: str = Credentials.merchant_id,
        public_key: str = Credentials.public_key,
        private_key: str = Credentials.private_key,
    ) -> None:
        self._path = Path(path) if path is not None else None
        self._port = port
        self._credentials = Credentials(merchant_id, public_key, private_key)
        self._server: Server | None = None

    def start(self) -> Self:
        """Begin to serve. Starting a running simulator changes nothing."""
        if self._server is None:
            store = Store(self._path)
            try:
                server = Server(("127.0.0.1", self._port), Gateway(store, self._credentials))
            except OSError:
                store.close()
                raise
            self._server, self._port = server, server.server_port
            server.begin()
        return self

    def stop(self) -> None:
        """Stop serving, hang up on everybody and close the file; the port stays reserved for us.

        Requests that are held or late are never done, as when a gateway loses them.
        """
        server, self._server = self._server, None
        if server is None:
            return
        server.gateway.stopping.set()
        server.gateway.holds.release()
        server.end()
        server.gateway.store.close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def port(self) -> int:
        """The port; 0 before the first start if none was given."""
        return self._port

    @property
    def url(self) -> str:
        """``http://host:port``, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def client(self) -> SimulatorClient:
        """A client of the control endpoint."""
        return SimulatorClient(self.url)

    def calm(self) -> None:
        """End all trouble: faults, held requests, odd keys and another time. Its books stay."""
        client = self.client
        client.clear_faults()
        client.release()
        client.keys("on")
        client.set_clock(datetime.now(UTC))

    def gateway_config(self) -> dict[str, Any]:
        """Return the settings that make ``BraintreeGateway`` talk to this simulator."""
        return {
            "REFUNDS_BRAINTREE_MERCHANT_ID": self._credentials.merchant_id,
            "REFUNDS_BRAINTREE_PUBLIC_KEY": self._credentials.public_key,
            "REFUNDS_BRAINTREE_PRIVATE_KEY": self._credentials.private_key,
            "REFUNDS_BRAINTREE_URL": self.url,
        }
