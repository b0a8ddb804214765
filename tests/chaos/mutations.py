"""``python -m tests.chaos.mutations [NAME ...]``: guards taken away one by one, each to be noticed.

Each mutation replaces some text in a copy of the tree, in which every test that is named for it
must then fail. Refuses when the text is not there any more. Status 1 when one was not noticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ROOT

STORM = "tests/chaos/test_chaos.py::test_nobody_is_refunded_twice_and_nothing_is_lost"
MACHINE = "tests/chaos/test_state_machine.py"
CRASHES = "tests/integration/test_crashes.py"
LIFE = "tests/integration/test_life_of_a_transfer.py"
RACES = "tests/integration/test_races.py"
WORKER = "tests/integration/test_worker.py"
TREE = ("flask_refunds", "tests", "example_app", "migrations", "pyproject.toml")
LONGEST = 600
FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A guard that is taken away from *file*: each *edits* pair is the text and what replaces it.

    Each of *tests* (arguments of pytest) must fail then.
    """

    name: str
    what: str
    file: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, ...], ...]


MUTATIONS = (
    Mutation(
        name="no-claim",
        what="A transfer that one worker has in hand is taken by the next one too.",
        file="flask_refunds/processing.py",
        edits=(("return transfer.lease_until <= now", "return True"),),
        tests=((WORKER, "-k", "two_workers and sqlite"),),
    ),
    Mutation(
        name="no-intent",
        what="The call is announced, and the announcement is not committed before it is made.",
        file="flask_refunds/processing.py",
        edits=(
            (
                "    announced = runtime.sessions.transact(work)\n",
                "    with runtime.sessions.open() as session:\n        announced = work(session)\n",
            ),
        ),
        tests=((MACHINE,), (CRASHES, "-k", "next_worker and ignored"), (STORM, "-k", "sqlite")),
    ),
    Mutation(
        name="new-key-after-time-out",
        what="An unknown outcome counts as not done, and a new key is taken.",
        file="flask_refunds/processing.py",
        edits=(
            (
                "    except GatewayError as error:\n        return Look.after(error)",
                "    except GatewayError:\n        return Wait(detail=Detail.NONE, new_key=True)",
            ),
        ),
        tests=((MACHINE,), (WORKER, "-k", "tells_nothing"), (STORM, "-k", "sqlite")),
    ),
    Mutation(
        name="new-key-while-unknown",
        what="An unknown outcome is looked for, but a new key is taken at once.",
        file="flask_refunds/recording.py",
        edits=(
            (
                "    transfer.detail = outcome.detail\n",
                "    new_generation(transfer)\n    transfer.detail = outcome.detail\n",
            ),
        ),
        tests=((MACHINE,),),
    ),
    Mutation(
        name="no-window",
        what="What is not at the gateway yet counts as never coming.",
        file="flask_refunds/looking.py",
        edits=(
            (
                "    return earlier.called_at + call_may_begin(runtime) + wait",
                "    return earlier.called_at - wait",
            ),
        ),
        tests=((MACHINE,), (WORKER, "-k", "lands_after_its_time_out")),
    ),
    Mutation(
        name="no-reservation",
        what="Money in flight is not counted as given back.",
        file="flask_refunds/lifecycle.py",
        edits=(("        reserve(account, transfer.amount)", "        reserve(account, 0)"),),
        tests=((MACHINE,), (RACES, "-k", "full_refunds and sqlite"), (STORM, "-k", "sqlite")),
    ),
    Mutation(
        name="stale-lease-records",
        what="An answer is recorded although another worker has the transfer by now.",
        file="flask_refunds/recording.py",
        edits=(("    if transfer.claim_token != claim.token:\n", "    if False:\n"),),
        tests=((MACHINE,), (LIFE, "-k", "answer_after_the_lease")),
    ),
    Mutation(
        name="check-before-lock",
        what="What is left of the lines is read before the order is locked.",
        file="flask_refunds/issuing.py",
        edits=(
            (
                "    account = lock(session, request.order_ref)\n",
                (
                    "    seen = read_standing(session, runtime, request.order_ref)\n"
                    "    account = lock(session, request.order_ref)\n"
                ),
            ),
            ("standing = standing_of(session, runtime, bundle, account)", "standing = seen"),
        ),
        tests=((RACES, "-k", "parts_of_one_line and sqlite"),),
    ),
    Mutation(
        name="unequal-void",
        what="A sale is voided although another amount than the whole is to go back.",
        file="flask_refunds/deciding.py",
        edits=(("        and charge.amount == amount\n", ""),),
        tests=((MACHINE,), (LIFE, "-k", "never_voided")),
    ),
)


class CannotTell(Exception):
    """A mutation could not be tried; the message says why."""


def main(names: Sequence[str]) -> int:
    """Try the mutations called *names*, or all; return the exit status."""
    if unknown := set(names) - {mutation.name for mutation in MUTATIONS}:
        print(f"There is no mutation {', '.join(sorted(unknown))}.", file=sys.stderr)
        return 2
    missed = 0
    for mutation in MUTATIONS:
        if names and mutation.name not in names:
            continue
        print(f"{mutation.name}: {mutation.what}", flush=True)
        try:
            missed += _try(mutation)
        except CannotTell as reason:
            print(f"  CANNOT TELL: {reason}")
            missed += 1
    print(f"{missed} not noticed." if missed else "Every one was noticed.")
    return 1 if missed else 0


def _try(mutation: Mutation) -> int:
    """Return how many of its tests pass although the guard is gone."""
    missed = 0
    with tempfile.TemporaryDirectory(prefix="refunds-mutation-") as name:
        tree = Path(name)
        for part in TREE:
            source, copied = ROOT / part, tree / part
            if source.is_dir():
                shutil.copytree(source, copied, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, copied)
        _mutate(tree / mutation.file, mutation)
        for test in mutation.tests:
            began = time.monotonic()
            code, words = _run(tree, test)
            said = "noticed by" if code == FAILED else "NOT NOTICED by"
            missed += code != FAILED
            seconds = time.monotonic() - began
            print(f"  {said} {' '.join(test)} ({seconds:.0f} s) {words}", flush=True)
    return missed


def _mutate(file: Path, mutation: Mutation) -> None:
    text = file.read_text()
    for old, new in mutation.edits:
        if text.count(old) != 1:
            raise CannotTell(f"{mutation.file} has this {text.count(old)} times: {old!r}")
        text = text.replace(old, new)
    file.write_text(text)


def _run(tree: Path, test: tuple[str, ...]) -> tuple[int, str]:
    """Run *test* in *tree*; return pytest's status and the first thing that it complains of."""
    options = ("-q", "-x", "-p", "no:cacheprovider")
    own = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "UNSHRUNK": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *test],
        cwd=tree,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    if ran.returncode not in {0, FAILED}:
        said = (ran.stdout + ran.stderr)[-400:]
        raise CannotTell(f"pytest ended with {ran.returncode}: {said}")
    complaints = [line for line in ran.stdout.splitlines() if line.startswith("E  ")]
    return ran.returncode, complaints[0][:160] if complaints else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
