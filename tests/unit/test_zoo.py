"""What a host of the zoo has to write is short."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

from tests.hosts import zoo

WIRINGS = Path(zoo.__file__).parent
MOST = 30
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}

SAMPLE = '''"""Six lines,

not more."""

# words
A = (
    1,  # one

)

def f():
    "Say."
    return """
"""
'''


def lines_of_code(source: str) -> int:
    """Return how many lines hold code: not only blanks, comments and docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT | {tokenize.ENDMARKER}:
            lines.update(range(token.start[0], token.end[0] + 1))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(lines)


def test_blank_lines_comments_and_docstrings_are_no_code() -> None:
    assert lines_of_code(SAMPLE) == 6


@pytest.mark.parametrize("name", zoo.names())
def test_a_wiring_has_thirty_lines_of_code_at_most(name: str) -> None:
    source = (WIRINGS / name / "wiring.py").read_text(encoding="utf-8")

    assert 10 < lines_of_code(source) <= MOST
