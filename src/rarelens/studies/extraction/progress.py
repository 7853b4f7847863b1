"""How far a long extraction is, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
QUIET = 60.0
"""Seconds that all may take without a word, and between two words."""


def told(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield the items; say how many are done and how long the others will take.

    Nothing is said of what takes less than `QUIET` in all; else after the first item, and from
    then on at most once in `QUIET` seconds.

    Args:
        items: each is done when the next is asked for.
        what: they are of, the beginning of the line.
    """
    begun = said = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        taken = now - begun
        if done and taken * len(items) / done > QUIET and (done == 1 or now - said >= QUIET):
            said = now
            left = taken * (len(items) - done) / done / 60
            print(f"{what}: {done} of {len(items)}, about {left:.0f} min left", file=sys.stderr)
        yield item
