"""SIGKILL at each file operation of an action, one after the other."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count

# Of Python's audit events, those before each operation that changes what lies on disk.
OPERATIONS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}


def kills_of(action: Callable[[], None]) -> Iterator[int]:
    """Run ``action`` in child processes, killed at the first, second, … file operation.

    Yields after each kill, and ends with the first child that was not killed.
    """
    for number in count(1):
        child = os.fork()
        if child == 0:
            _run(action, number)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return
        yield number


def _run(action: Callable[[], None], number: int) -> None:
    """Run ``action``, end the process; at its file operation ``number``, by SIGKILL."""
    left = number

    def hook(event: str, _: object) -> None:
        nonlocal left
        left -= event in OPERATIONS
        if left == 0 and event in OPERATIONS:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    try:
        action()
    except BaseException:
        os._exit(1)
    os._exit(0)
