"""Batches of a training, made ahead of it in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from rarelens.errors import RarelensError
from rarelens.studies.training.task import Batch, Task

AUTO = 4
SHARED = Path("/dev/shm")
ENOUGH_SHARED = 2**29


def batches(
    task: Task, steps: range, workers: int | None, device: torch.device
) -> Generator[Batch, None, None]:
    """The batches of ``steps``, the same whatever the number of processes.

    Close the generator, and its processes end.

    Args:
        task: makes them.
        steps: which ones.
        workers: processes; 0: each is made when it is asked for; None: as `processes`.
        device: where they go: for a GPU they come in pinned memory, to be copied as it computes.
    """
    gpu = device.type == "cuda"
    number = processes(device) if workers is None else workers
    loader = DataLoader(
        _Steps(task),
        batch_size=None,
        sampler=steps,
        num_workers=number,
        collate_fn=_as_it_is,
        pin_memory=gpu,
        # A generator of its own: the training's is not drawn from.
        generator=torch.Generator(),
        # Forked, they share the memory maps, and start at once.
        multiprocessing_context="fork" if number and sys.platform == "linux" else None,
    )
    # Started here, and not at the first batch, when other threads may hold a lock.
    return _each(iter(loader))


def processes(device: torch.device) -> int:
    """How many make batches unless one says: up to four beside a GPU, none on a CPU.

    A GPU waits where its training's own process cuts the patches; a CPU's cores train. Nor are
    there any in a process of a pool, which may have none of its own, or where there is not the
    shared memory that batches come through (a container's 64 MiB).
    """
    if device.type != "cuda" or multiprocessing.current_process().daemon:
        return 0
    if SHARED.is_dir() and shutil.disk_usage(SHARED).total < ENOUGH_SHARED:
        return 0
    return min(AUTO, _cores() - 1)


class _Steps(Dataset[Batch | RarelensError]):
    """A task's batches by their steps."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __getitem__(self, step: int) -> Batch | RarelensError:
        try:
            return self.task.batch(step)
        except RarelensError as error:  # Raised here, it would come with the worker's traceback.
            return error


def _each(loaded: Iterator[Batch | RarelensError]) -> Generator[Batch, None, None]:
    try:
        for batch in loaded:
            if isinstance(batch, RarelensError):
                raise batch
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RarelensError(
            f"a process that makes batches has ended: {str(error).splitlines()[0]}; give it more "
            "memory, shared memory above all (docker run --shm-size=1g), or set workers: 0"
        ) from error


def _as_it_is(batch: Any) -> Any:
    return batch


def _cores() -> int:
    """That this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
