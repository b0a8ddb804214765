"""How long to wait before trying again."""

import random
from datetime import timedelta

LONGEST_WAIT = 3600.0


def backoff(first: float, tries: int, *, longest: float = LONGEST_WAIT) -> timedelta:
    """Return how long to wait after *tries* tries: doubling from *first* seconds, with jitter.

    Never more than *longest* seconds, and never less than 0.8 of what is due, so that many that
    failed at the same moment do not come back at the same moment.
    """
    due = min(first * 2.0 ** min(max(tries, 1) - 1, 16), longest)
    return timedelta(seconds=due * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
