"""Bad inputs, each with what it is refused for; the docs' table and the counts are made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Run = Callable[[Path], object]


class Bad(NamedTuple):
    """An input: where it is met, what is wrong with it, words of its refusal, and how to try it.

    ``run`` is given an empty folder.
    """

    area: str
    given: str
    says: str
    run: Run


BAD: list[Bad] = []


def bad(area: str, given: str, says: str) -> Callable[[Run], Run]:
    """Enter a function as a bad input."""

    def enter(run: Run) -> Run:
        BAD.append(Bad(area, given, says, run))
        return run

    return enter
