"""Whether a training still runs: it holds a lock that the system takes back when the process ends.

A run that MLflow shows as running has ended by SIGKILL, or with the machine, if its lock is free.
Of a run that was begun elsewhere there is no lock here, and nothing is said about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Run

from rarelens.pipeline.tracking import names

RUNNING = Path(".rarelens/running")


def hold(identity: str) -> BaseFileLock | None:
    """The lock of a training, to be released at its end; None where the disk knows no locks."""
    lock = FileLock(RUNNING / identity, timeout=0)
    with suppress(OSError, NotImplementedError):
        RUNNING.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        return lock
    return None


def let_go(lock: BaseFileLock | None) -> None:
    """At a training's end; an end that nobody saw leaves the file."""
    if lock is not None:
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def close_killed(client: MlflowClient, runs: Iterable[Run]) -> int:
    """Close the runs whose training was killed; how many they are."""
    killed = [run for run in runs if run.info.status == "RUNNING" and _was_killed(run)]
    for run in killed:
        points = client.get_metric_history(run.info.run_id, "train/loss")
        last = max((point.timestamp for point in points), default=run.info.start_time)
        client.set_terminated(run.info.run_id, "KILLED", last)
    return len(killed)


def _was_killed(run: Run) -> bool:
    file = RUNNING / run.data.tags.get(names.IDENTITY, "")
    if not file.is_file():
        return False
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except (Timeout, OSError, NotImplementedError):
        return False
    let_go(lock)
    return True
