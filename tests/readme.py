"""A shell script of the README's own blocks: a new shop from nothing, and its first refund."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

FIRST = "## Install it into your shop"
LAST = "## More"
FILE = re.compile(r"# ([a-z_/]+\.py)\b")
WIRING = "refunds.init_app(app, db=db, admin=admin)\n"
REPORTS = "refunds.init_app(app, db=db, admin=admin, reports="
SIMULATOR, WORKER = "flask_refunds.testing.simulator", "flask refunds worker"


class Unreadable(AssertionError):
    """The README says something that cannot be done as it stands, or no longer what we expect."""


@dataclass(frozen=True, kw_only=True)
class Instead:
    """What is other than the README says, since it is another on every machine.

    *wheel* stands for the package at the index, *port* for the simulator's, and *redis* for the
    address of the queue: ``None`` is the README's own alternative, with the sweep for a worker.
    """

    wheel: Path
    port: int
    redis: str | None


def script(readme: str, instead: Instead) -> str:
    """Return what *readme* has a reader do in an empty folder: all files, then all commands."""
    readme = swap(readme, "8090", str(instead.port))
    readme = swap(readme, '"redis://127.0.0.1:6379/0"', repr(instead.redis))
    found = list(blocks(readme))
    commands = [command for language, text in found for command in typed(language, text)]
    lines = [
        "set -euo pipefail",
        "trap 'for each in $(jobs -p); do kill $each; done; wait' EXIT",
        *(written(path, text) for path, text in files(found).items()),
        *(line for command in commands for line in (shown(command), *done(command, instead))),
        # Step 7, whose line stands in place of that of step 3.
        "mv app_with_reports.py app.py",
        "flask routes",
    ]
    return "\n".join(lines) + "\n"


def blocks(readme: str) -> Iterator[tuple[str, str]]:
    """Yield language and text of the fenced blocks from :data:`FIRST` to :data:`LAST`."""
    _, first, rest = readme.partition(f"\n{FIRST}\n")
    part, last, _ = rest.partition(f"\n{LAST}\n")
    if not first or not last:
        raise Unreadable(f"The README does not go from {FIRST!r} to {LAST!r}.")
    for found in re.finditer(r"^( *)```(\w+)\n(.*?)^\1```$", part, re.DOTALL | re.MULTILINE):
        yield found[2], textwrap.dedent(found[3])


def files(found: list[tuple[str, str]]) -> dict[str, str]:
    """Return the files by the names in their first lines; ``app.py`` also as step 7 leaves it."""
    made: dict[str, str] = {}
    wirings: list[str] = []
    for language, text in found:
        named = FILE.match(text)
        if language != "python":
            continue
        if named:
            made[named[1]] = made.get(named[1], "") + text
        elif WIRING in text or REPORTS in text:
            wirings.append(text)
        else:
            raise Unreadable(f"In which file does this go?\n{text}")
    wired, net = wirings
    app = made["app.py"]
    made["app.py"] = f"{app}\n\n{wired}"
    made["app_with_reports.py"] = f"{app}\n\n{swap(wired, WIRING, net)}"
    return made


def typed(language: str, text: str) -> list[str]:
    """Return the commands of a console's block."""
    if language != "console":
        return []
    lines = text.splitlines()
    if not all(line.startswith("$ ") for line in lines):
        raise Unreadable(f"What of this is typed?\n{text}")
    return [line.removeprefix("$ ") for line in lines]


def done(command: str, instead: Instead) -> list[str]:
    """Return the lines that do *command*, and wait where a reader would."""
    if command.startswith("pip install "):
        return [swap(command, "Flask-Refunds", str(instead.wheel))]
    if SIMULATOR in command:
        up = f"(exec 3<>/dev/tcp/127.0.0.1/{instead.port}) 2>/dev/null"
        return [f"{command} >simulator.log &", f"until {up}; do sleep 0.2; done"]
    if WORKER in command:
        return [f"{command} >worker.log 2>&1 &"] if instead.redis else []
    if command.endswith(" --yes"):
        completed = "flask refunds list --status completed | grep 1001"
        by_worker, by_sweep = f"until {completed}; do sleep 1; done", "flask refunds sweep"
        return [command, by_worker if instead.redis else by_sweep]
    return [command]


def written(path: str, text: str) -> str:
    """Return the lines that write *text* into the file *path*."""
    return (
        f"mkdir -p {quote(str(Path(path).parent))}\ncat >{path} <<'END OF FILE'\n{text}END OF FILE"
    )


def shown(command: str) -> str:
    """Return the line that prints *command* as a reader sees it."""
    return f"echo {quote('$ ' + command)}"


def swap(text: str, old: str, new: str) -> str:
    """Return *text* with *new* for *old*, which has to be there."""
    if old not in text:
        raise Unreadable(f"The README does not say {old!r}.")
    return text.replace(old, new)
