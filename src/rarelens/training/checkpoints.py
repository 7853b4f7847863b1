"""Checkpoints in scratch: kept out of DVC's outputs, keyed by the job's identity."""

from __future__ import annotations

import shutil
from pathlib import Path

from accelerate import Accelerator


class Checkpoints:
    """The last checkpoint of one job.

    Args:
        folder: the cell's scratch; whatever lies there under another identity is of a job with
            other parameters, data or code, and is removed.
        identity: of the job.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.latest = folder / identity
        for stale in folder.glob("*") if folder.is_dir() else ():
            if stale != self.latest:
                shutil.rmtree(stale)

    def save(self, accelerator: Accelerator) -> None:
        """Replace the checkpoint; one half-written or half-removed is never taken for it."""
        partial, old = (self.latest.with_name(name) for name in ("partial", "old"))
        shutil.rmtree(partial, ignore_errors=True)
        accelerator.save_state(str(partial))
        if self.latest.is_dir():
            self.latest.rename(old)
        partial.rename(self.latest)
        shutil.rmtree(old, ignore_errors=True)

    def resume(self, accelerator: Accelerator) -> bool:
        """Load the checkpoint into all that the accelerator knows, if there is one."""
        if not self.latest.is_dir():
            return False
        accelerator.load_state(str(self.latest))
        return True

    def clear(self) -> None:
        """Remove the cell's scratch, and folders above it that are left empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for parent in self.folder.parents[:-1]:
            if not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()
