"""A user's mistake, as it is told."""

from __future__ import annotations

import errno
import importlib
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from faulty import run_apart
from rarelens import errors
from rarelens.errors import RarelensError, guarded


def test_an_error_of_several_sentences_keeps_them_from_another_process() -> None:
    found = pickle.loads(pickle.dumps(RarelensError("one", "two")))
    assert found.problems == ("one", "two")
    assert str(found) == "one\ntwo"


NO_SPACE, SHORT, MEMORY = "make space on this disk", "ulimit -f", "lower batch sizes"
TOLD = (
    (OSError(errno.ENOSPC, "No space left on device", "a"), NO_SPACE),
    # As NumPy, HDF5, safetensors, PyTorch (while it writes, and while it ends) and CUDA tell it.
    (OSError("26656 requested and 236 written"), SHORT),
    (
        OSError("Can't write data (file write failed: errno = 28, error message = 'No'...)"),
        NO_SPACE,
    ),
    (Exception("Error while serializing: I/O error: File too large (os error 27)"), SHORT),
    (RuntimeError("[enforce fail at inline_container.cc:783] . PytorchStreamWriter failed"), SHORT),
    (RuntimeError("[enforce fail at inline_container.cc:603] . unexpected pos 64 vs 0"), SHORT),
    (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), MEMORY),
    (MemoryError("Unable to allocate 8 GiB"), MEMORY),
)


@pytest.mark.parametrize(("error", "says"), TOLD)
def test_what_the_system_refuses_is_a_sentence(
    error: Exception, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        guarded(_raise)(error)
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 1
    assert line.startswith("error: ")
    assert says in line


def test_memory_that_pytorch_is_refused_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        guarded(lambda: torch.empty(10**15).fill_(1))()
    assert "not enough memory" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyError("a mistake"), OSError("a mistake")])
def test_other_failures_stay_tracebacks(error: Exception) -> None:
    with pytest.raises(type(error), match="a mistake"):
        guarded(_raise)(error)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("from math import (\n    no_such)", "ImportError: cannot import name 'no_such'"),
        ("HALF = 1 / 0", "ZeroDivisionError: division by zero"),
        ("assert False", "AssertionError; correct it"),
        ("def forward(:", "SyntaxError: invalid syntax"),
    ],
)
def test_a_component_that_cannot_be_imported_is_a_sentence(
    line: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "errors.py"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("my_loss.py").write_text(f'"""Mine."""\n\n{line}\n')
    with pytest.raises(SystemExit) as end:
        guarded(lambda: importlib.import_module("my_loss"))()
    (told,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 1
    assert told.startswith(f"error: my_loss.py, line 3: {says}")


def test_what_fails_in_a_component_that_was_imported_stays_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "errors.py"))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_other_loss.py").write_text("def forward():\n    return 1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        guarded(importlib.import_module("my_other_loss").forward)()


def _raise(error: Exception) -> None:
    raise error


ARRAY = np.random.default_rng(0).random(20_000, np.float32)


def _hdf5(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened["a"] = ARRAY


# Of each library that stages write with.
WRITERS: dict[str, Callable[[Path], object]] = {
    "numpy": lambda file: np.save(file, ARRAY),
    "archive": lambda file: np.savez_compressed(file, a=ARRAY),
    "torch": lambda file: torch.save({"a": torch.from_numpy(ARRAY)}, file),
    "safetensors": lambda file: save_file({"a": torch.from_numpy(ARRAY)}, file),
    "parquet": lambda file: pd.DataFrame({"a": ARRAY}).to_parquet(file),
    "hdf5": _hdf5,
    "nifti": lambda file: nib.save(nib.Nifti1Image(ARRAY.reshape(50, 20, 20), np.eye(4)), file),
}


@pytest.mark.parametrize("library", WRITERS)
def test_a_file_that_is_not_written_whole_is_a_sentence(library: str, tmp_path: Path) -> None:
    file = tmp_path / ("a.nii" if library == "nifti" else "a.npz")
    fault = run_apart(guarded(lambda: WRITERS[library](file)), "too large", 10_000)
    assert fault.status == 1, fault
    assert fault.said.startswith("error: "), fault
    assert SHORT in fault.said
