"""Checkpoints in scratch: kept out of DVC's outputs, keyed by the job's identity."""

from __future__ import annotations

import shutil
from pathlib import Path

from accelerate import Accelerator

from rarelens.studies.files import remove_folder


class Checkpoints:
    """The last checkpoint of one job: the numbered folder with the highest number.

    A checkpoint is written beside, takes its number by one rename, and only then goes the one
    before: a process that is killed at any moment leaves the last one whole.

    Args:
        folder: the cell's scratch; whatever lies there under another identity is of a job with
            other parameters, data or code, and is removed.
        identity: of the job.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.own = folder / identity
        for stale in folder.glob("*") if folder.is_dir() else ():
            if stale != self.own:
                remove_folder(stale)

    def save(self, accelerator: Accelerator) -> None:
        """Replace the checkpoint."""
        partial, before = self.own / "partial", self._numbers()
        shutil.rmtree(partial, ignore_errors=True)
        accelerator.save_state(str(partial))
        partial.rename(self.own / str(max(before, default=0) + 1))
        for number in before:
            shutil.rmtree(self.own / str(number))

    def resume(self, accelerator: Accelerator) -> bool:
        """Load the checkpoint into all that the accelerator knows, if there is one."""
        numbers = self._numbers()
        if numbers:
            accelerator.load_state(str(self.own / str(max(numbers))))
        return bool(numbers)

    def clear(self) -> None:
        """Remove the cell's scratch, and folders above it that are left empty."""
        remove_folder(self.own)
        shutil.rmtree(self.folder, ignore_errors=True)
        for parent in self.folder.parents[:-1]:
            if not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()

    def _numbers(self) -> list[int]:
        """Of the checkpoints; those below the highest may be half removed."""
        if not self.own.is_dir():
            return []
        return [int(each.name) for each in self.own.iterdir() if each.name.isdecimal()]
