"""``python -m benchmarks [NAME ...]``: run all benchmarks, or those whose name contains a NAME."""

import argparse
import json
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path

from benchmarks import registry
from tests.servers import Missing


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen benchmarks; return 1 when one failed, 0 otherwise.

    One whose server cannot run here is named on standard error; under ``CI=true`` it has failed.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    chosen = parser.parse_args(arguments).names
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        import_module(f"benchmarks.{path.stem}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # servers end, too
    failed = False
    ran = 0
    for name, function in registry.items():
        if chosen and not any(part in name for part in chosen):
            continue
        ran += 1
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            for result in function():
                print(json.dumps(result.as_row()), flush=True)
        except Missing as missing:
            print(f"NOT RUN: {name}: {missing}", file=sys.stderr, flush=True)
            failed |= os.environ.get("CI") == "true"
        except Exception:  # noqa: BLE001 - the others still run, and the exit code tells
            traceback.print_exc()
            failed = True
    if not ran:
        print("no benchmark was chosen", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
