"""Checkpoints in scratch: kept out of DVC's outputs, keyed by the job's identity."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from rarelens.studies.files import remove_folder

STATE, DIGEST = "state.pt", "sha256"


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

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint; ``state`` is of tensors and plain values only."""
        partial, before = self.own / "partial", self._numbers()
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        torch.save(state, partial / STATE)
        (partial / DIGEST).write_text(_digest(partial / STATE), encoding="ascii")
        partial.rename(self.own / str(max(before, default=0) + 1))
        for number in before:
            shutil.rmtree(self.own / str(number))

    def resume(self) -> dict[str, Any] | None:
        """The state that was saved last, tensors on the CPU; None where there is none.

        One that is damaged is set aside, and standard error says so. Nothing in it is executed:
        PyTorch's restricted unpickler makes tensors and plain values only.
        """
        for number in sorted(self._numbers(), reverse=True):
            try:
                return _load(self.own / str(number))
            except (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError):
                aside = self.own / f"damaged_{number}"
                shutil.rmtree(aside, ignore_errors=True)
                (self.own / str(number)).rename(aside)
                print(
                    f"warning: {self.own / str(number)}: this checkpoint is damaged, or not as "
                    f"this version writes it; it is set aside as {aside.name}, and the training "
                    "goes on without it (from its beginning, if there is no other)",
                    file=sys.stderr,
                )
        return None

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


def _load(folder: Path) -> dict[str, Any]:
    """The state in a checkpoint's folder, if its bytes are those that were written."""
    if (folder / DIGEST).read_text(encoding="ascii") != _digest(folder / STATE):
        raise ValueError("other bytes than were written")
    state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise ValueError("no state")  # noqa: TRY004
    return state


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
