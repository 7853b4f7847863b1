"""Work in processes of their own: one that fails, hangs or is killed leaves the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

# Forked, so that nothing is imported again; who forks must not have started CUDA.
FORK = multiprocessing.get_context("fork")

Row = dict[str, Any]
# Said, for the pipe stays open as long as any process that was forked from this one.
OVER = None


def start(work: Callable[..., Iterator[Any]], *arguments: Any, log: Path | None = None) -> Any:
    """Begin it; returns the process and the end of a pipe that its values come from.

    What fails gives a row that tells of it. ``log`` takes what goes to standard error.
    """
    receive, send = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_run, args=(work, arguments, send, log))
    process.start()
    send.close()
    return process, receive


def values(started: Any, limit: float) -> Iterator[Any]:
    """What it gives, until it ends or ``limit`` seconds are over; what is left of it is killed."""
    process, receive = started
    until = time.monotonic() + limit
    with suppress(EOFError):
        while time.monotonic() < until:
            if receive.poll(0.1):
                if (value := receive.recv()) is OVER:
                    break
                yield value
            elif not process.is_alive():
                yield {"what": f"failed: its process ended with {process.exitcode}"}
                break
        else:
            process.kill()
            yield {"what": f"stopped after {limit:.0f} s"}
    with suppress(ProcessLookupError):  # It has a group of its own only where it has a log.
        os.killpg(process.pid, signal.SIGKILL)
    process.join(10)


def _run(work: Callable[..., Iterator[Any]], arguments: Any, send: Any, log: Path | None) -> None:
    if log is not None:
        # A group of its own, to be killed with all that it starts; bars and warnings go to a file.
        os.setpgid(0, 0)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    try:
        for value in work(*arguments):
            send.send(value)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        message = " ".join(str(error).split())[:300]
        at = f"{Path(last.filename).name}:{last.lineno}"
        send.send({"what": f"failed: {type(error).__name__}: {message} ({at})"})
        traceback.print_exc()
    send.send(OVER)
    # Without waiting for threads: MONAI's loader leaves one.
    os._exit(0)
