"""Faults at the operations of an action that change what lies on disk, one after the other."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from killing import OPERATIONS

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FAULTS = ("no space", "no permission", "too large", "SIGINT", "SIGTERM", "SIGKILL")
_ERRORS = {"no space": errno.ENOSPC, "no permission": errno.EACCES}
MAKING = ("open", "os.mkdir", "os.rename")
LARGEST = 600
"""Bytes of a file where it is too large; further ones of a kind are four times as large each."""


class Fault(NamedTuple):
    """What happened at which operation, how the process ended, and what it said."""

    kind: str
    number: int
    status: int
    said: str


def faults_of(action: Callable[[], None], each: int) -> Iterator[Fault]:
    """Run ``action`` in child processes, each with one fault.

    Args:
        action: as a stage's ``main``: it ends the process where it fails. It runs once without a
            fault, first.
        each: of a kind of fault, so many, evenly over the action's operations; no two kinds at
            the same one.
    """
    whole = run_apart(action)
    assert whole.status == 0, whole.said
    yield whole
    operations = int(whole.said.rpartition("operations: ")[2])
    for place, kind in enumerate(FAULTS):
        shares = ((n + (place + 0.5) / len(FAULTS)) / each for n in range(each))
        places = {1 + int(operations * share) for share in shares}
        sizes = {LARGEST * 4**n for n in range(each)}
        for number in sorted(sizes if kind == "too large" else places):
            yield run_apart(action, kind, number)


def run_apart(action: Callable[[], None], kind: str = "", number: int = 0) -> Fault:
    """Run ``action`` in a child process; a fault that is named comes at operation ``number``."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 2)
            sys.stderr = os.fdopen(2, "w", buffering=1)
            _end(action, kind, number)
        status = os.waitpid(child, 0)[1]
        said.seek(0)
        text = said.read().decode()
    return Fault(kind, number, os.waitstatus_to_exitcode(status), text)


def _end(action: Callable[[], None], kind: str, number: int) -> None:
    """Run the action with a fault and end the process as Python would."""
    status, count, over = 70, 0, False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count, over
        if event not in OPERATIONS or (event == "open" and not _writes(arguments)):
            return
        count += 1
        # Nothing is removed for want of space.
        if over or count < number or not number or (kind in _ERRORS and event not in MAKING):
            return
        over = True
        if kind in _ERRORS:
            raise OSError(_ERRORS[kind], os.strerror(_ERRORS[kind]), str(arguments[0]))
        os.kill(os.getpid(), getattr(signal, kind))

    sys.dont_write_bytecode = True
    if kind == "too large":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, resource.RLIM_INFINITY))
    else:
        sys.addaudithook(hook)
    try:
        action()
        status = 0
        os.write(2, f"operations: {count}".encode())
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 71
    except BaseException as error:
        os.write(2, f"Traceback: {type(error).__name__}: {error}".encode())
    os._exit(status)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return bool(flags & WRITING) if mode is None else bool(set("wax+") & set(str(mode)))
