"""A full disk, or one that cannot be written, is noticed before the work and not within it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from rarelens.studies import files
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.preprocessing import new_array
from rarelens.studies.training.run import Run, Unobserved, train_and_record


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)


def test_an_array_has_its_space_before_it_is_written(tmp_path: Path):
    array = new_array(tmp_path / "a.npy", np.dtype("uint8"), (1000, 1, 64, 64))
    found = (tmp_path / "a.npy").stat()
    assert found.st_blocks * 512 >= array.nbytes
    assert not np.load(tmp_path / "a.npy").any()


def test_an_array_of_nothing_is_one(tmp_path: Path):
    new_array(tmp_path / "a.npy", np.dtype("bool"), (0, 8, 8))
    assert np.load(tmp_path / "a.npy").shape == (0, 8, 8)


def test_an_array_on_a_full_disk_is_an_error_that_names_it(tmp_path: Path, full: None):
    with pytest.raises(OSError, match=r"No space left on device: .*a\.npy"):
        new_array(tmp_path / "a.npy", np.dtype("uint8"), (10, 1, 8, 8))


def test_a_file_system_without_the_call_is_written_as_before(tmp_path: Path, monkeypatch):
    def unsupported(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    files.check_room(tmp_path / "b" / "a")
    monkeypatch.delattr(os, "posix_fallocate")
    files.check_room(tmp_path / "b" / "a")
    assert list(tmp_path.iterdir()) == []


def run() -> Run:
    cell = Cell("segmentation", "set", "unet", "a", "1", 0)
    return Run(cell, "identity", {}, "digest", [], 1, "patches", "validation_dice")


@pytest.mark.parametrize("place", ["models", "records"])
def test_no_training_begins_where_its_output_cannot_be_written(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A folder in which nothing can be made, for root as well.
    Path(place).write_text("")
    begun = []
    with pytest.raises(OSError):  # noqa: PT011
        train_and_record(run(), lambda *_: begun.append(1), lambda _: None, Unobserved)
    assert begun == []


def test_no_training_begins_on_a_full_disk(tmp_path, monkeypatch, full):
    monkeypatch.chdir(tmp_path)
    begun = []
    with pytest.raises(OSError, match="No space left"):
        train_and_record(run(), lambda *_: begun.append(1), lambda _: None, Unobserved)
    assert begun == []
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
