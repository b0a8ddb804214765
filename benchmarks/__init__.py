"""Benchmarks: each function in a ``bench_*.py`` module that is marked with :func:`benchmark`.

``make bench`` runs them one after the other and prints one JSON object per line::

    {"name": ..., "value": ..., "unit": ..., "peer": ..., "peer_value": ..., "ratio": ...}

A benchmark measures; it contains no number that was measured elsewhere. The peer is another way of
doing the same, run in the same process on the same data, or absent.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """One measured figure in *unit*, and the same figure for *peer* when there is one."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return self.value / self.peer_value if self.peer_value else None

    def as_row(self) -> dict[str, Any]:
        """Return the row to print, rounded to four significant digits."""
        row = {**asdict(self), "ratio": self.ratio}
        return {
            key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in row.items()
        }


Benchmark = Callable[[], Iterable[Result]]

registry: dict[str, Benchmark] = {}
"""The benchmarks by name, in the order of their modules and definitions."""


def benchmark(function: Benchmark) -> Benchmark:
    """Register *function*, which measures and yields results, under its own name."""
    if function.__name__ in registry:
        raise ValueError(f"there are two benchmarks called {function.__name__}")
    registry[function.__name__] = function
    return function
