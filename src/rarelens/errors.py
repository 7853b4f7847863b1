"""What a user did wrong, said in a sentence, and the guard that prints it without a traceback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec

P = ParamSpec("P")

MOST_SENTENCES = 20
"""Of one kind of problem; how many more there are is said in one sentence."""


class RarelensError(Exception):
    """A mistake in parameters, data or use; its text is a sentence for the user.

    Args:
        problems: one sentence, or several where several problems were found at once.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def refuse(problems: Iterable[str]) -> None:
    """Raise these problems of one kind, if there are any; the first of many (`shortened`).

    Raises:
        RarelensError: if there is one.
    """
    found = list(problems)
    if found:
        raise RarelensError(*shortened(found))


def shortened(problems: Sequence[str]) -> list[str]:
    """The first problems of a kind, and how many more there are."""
    more = len(problems) - MOST_SENTENCES
    if more <= 0:
        return list(problems)
    return [*problems[:MOST_SENTENCES], f"… and {more} more of this kind; correct them likewise"]


def guarded(main: Callable[P, None]) -> Callable[P, None]:
    """Wrap an entry point: a `RarelensError` is printed as ``error: …`` and exits with 1."""

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            main(*args, **kwargs)
        except RarelensError as error:
            for problem in error.problems:
                print(f"error: {problem}", file=sys.stderr)
            sys.exit(1)

    return run
