"""``python -m tests.chaos``: one bounded run; status 1 when something broke.

``SEED`` (a number; default: a new one), ``REFUNDS`` (200), ``KEYS`` (on, off: the account has
none, ignored: the gateway does not look), ``DATABASE_URL`` (an empty database, or ``sqlite``,
``postgresql``, ``mariadb`` for one of our own).
"""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.chaos.run import KEYS, Options, Report, run
from tests.chaos.shop import NotEmpty
from tests.servers import Missing, fast_folder, leave

HARD_LIMIT = 3600
"""Seconds after which a run is ended in any case."""


def main() -> int:
    """Run it as the environment says; return the exit status."""
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGALRM, leave)
    refunds = int(os.environ.get("REFUNDS") or 200)
    options = Options(
        seed=int(os.environ.get("SEED") or secrets.randbelow(1_000_000)),
        refunds=refunds,
        keys=os.environ.get("KEYS") or "on",
        database=os.environ.get("DATABASE_URL") or "sqlite",
        calm=120.0 + refunds,
    )
    if options.keys not in KEYS or options.refunds < 1:
        print(f"KEYS is one of {', '.join(KEYS)}, and REFUNDS a number from 1.", file=sys.stderr)
        return 2
    signal.alarm(HARD_LIMIT)
    shown = options.database.partition("://")[0]
    print(f"SEED={options.seed} REFUNDS={options.refunds} KEYS={options.keys}, {shown}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="refunds-chaos-", dir=fast_folder()))
    folder.chmod(0o711)  # the servers' own users have to pass
    broken = True
    try:
        report = run(options, folder, lambda words: print(words, flush=True))
        broken = bool(report.evidence)
    except (NotEmpty, Missing) as reason:
        print(reason, file=sys.stderr)
        broken = False
        return 2
    finally:
        if broken:
            print(f"SEED={options.seed}; the logs are in {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    _tell(report)
    return int(broken)


def _tell(report: Report) -> None:
    for line in report.evidence:
        print(line)
    print(f"{report.issued} refunds issued, {report.refused} refused, {report.seconds:.0f} seconds")
    for title, counted in (
        ("transfers", report.transfers),
        ("disturbances", report.acts),
        ("faults asked for", report.faults),
    ):
        print(f"{title} ({counted.total()}): {_listed(counted)}")
    print("EVERYTHING TIES OUT." if not report.evidence else "SOMETHING BROKE: see above.")


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))


if __name__ == "__main__":
    sys.exit(main())
