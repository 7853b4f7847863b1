"""How a command that runs others is told to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGTERM, signal
from typing import NoReturn


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM is Ctrl-C: it raises ``KeyboardInterrupt``."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal(SIGTERM, interrupt)
    try:
        yield
    finally:
        signal(SIGTERM, before)
