"""A user's mistake, as it is told."""

from __future__ import annotations

import errno
import pickle

import pytest
import torch

from rarelens.errors import RarelensError, guarded


def test_an_error_of_several_sentences_keeps_them_from_another_process() -> None:
    found = pickle.loads(pickle.dumps(RarelensError("one", "two")))
    assert found.problems == ("one", "two")
    assert str(found) == "one\ntwo"


NO_SPACE, SHORT, MEMORY = "make space on this disk", "ulimit -f", "lower batch sizes"
TOLD = (
    (OSError(errno.ENOSPC, "No space left on device", "a"), NO_SPACE),
    # As NumPy, HDF5, PyTorch (while it writes, and while it ends) and its allocators tell it.
    (OSError("26656 requested and 236 written"), SHORT),
    (
        OSError("Can't write data (file write failed: errno = 28, error message = 'No'...)"),
        NO_SPACE,
    ),
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


@pytest.mark.parametrize("error", [RuntimeError("a mistake"), OSError("a mistake")])
def test_other_failures_stay_tracebacks(error: Exception) -> None:
    with pytest.raises(type(error), match="a mistake"):
        guarded(_raise)(error)


def _raise(error: Exception) -> None:
    raise error
