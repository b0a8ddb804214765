"""The fenced blocks of README and docs: where they stand, what they are, and what they say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.processes import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^([ >]*)(`{3,})([^`\n]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_SPOKEN = re.compile(r"`(flask refunds [a-z][^`]*|make [a-z]+)`")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: ``kind`` is the first word behind the fence, ``words`` all of them."""

    page: str
    line: int
    words: tuple[str, ...]
    text: str

    @property
    def kind(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def first(self) -> str:
        """The first line, by which a list may name the block."""
        return self.text.split("\n", 1)[0]

    @property
    def is_directive(self) -> bool:
        """Whether it is one for Sphinx, which the building of the site checks."""
        return self.kind.startswith("{")

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """Return the blocks of the page *path* in their order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            page=path.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, found.start()) + 1,
            words=tuple(found[3].split()),
            text=dedent(found[4]),
        )
        for found in _FENCE.finditer(text)
    ]


def spoken_commands(path: Path) -> Iterator[str]:
    """Yield the commands that stand in the sentences of the page *path*."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    for found in _SPOKEN.finditer(text):
        yield found[1]
