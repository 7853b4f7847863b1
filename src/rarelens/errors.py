"""What a user did wrong, said in a sentence, and the guard that prints it without a traceback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


class RarelensError(Exception):
    """A mistake in parameters, data or use; its text is a sentence for the user.

    Args:
        problems: one sentence, or several where several problems were found at once.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


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
