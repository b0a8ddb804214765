"""Run the simulator alone: ``python -m flask_refunds.testing.simulator --port 0 --file PATH``."""

import argparse
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from flask_refunds.testing.simulator.simulator import Simulator


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. The first line printed is the URL."""
    parser = argparse.ArgumentParser(
        prog="python -m flask_refunds.testing.simulator",
        description="A simulator of Braintree's gateway API. No money moves.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (default) takes a free port")
    parser.add_argument("--file", type=Path, help="SQLite file that keeps the transactions")
    parser.add_argument("--port-file", type=Path, help="write the port number into this file")
    options = parser.parse_args(arguments)

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with Simulator(options.file, options.port) as simulator:
        if options.port_file:
            beside = options.port_file.with_name(options.port_file.name + ".new")
            beside.write_text(f"{simulator.port}\n")
            beside.replace(options.port_file)
        print(simulator.url, flush=True)  # noqa: T201 - callers read this line
        print("Braintree simulator: no money moves here.", flush=True)  # noqa: T201
        ended.wait()


if __name__ == "__main__":
    main()
