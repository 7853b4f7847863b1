from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from killing import kills_of
from rarelens.studies.training.checkpoints import Checkpoints


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert not Checkpoints(tmp_path / "cell", "one").resume()


def test_the_last_checkpoint_is_resumed(tmp_path: Path) -> None:
    for value in (1, 2):
        Checkpoints(tmp_path / "cell", "one").save({"value": value})
    assert Checkpoints(tmp_path / "cell", "one").resume() == {"value": 2}


def test_another_identity_is_never_resumed_but_removed(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "cell", "one").save({"value": 1})
    other = Checkpoints(tmp_path / "cell", "two")
    assert not other.resume()
    assert list((tmp_path / "cell").iterdir()) == []


def test_a_half_written_checkpoint_is_ignored(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "cell", "one").save({"value": 1})
    partial = tmp_path / "cell/one/partial"
    partial.mkdir()
    (partial / "state.pt").write_text("2")
    assert value_of(tmp_path) == 1
    Checkpoints(tmp_path / "cell", "one").save({"value": 3})
    assert value_of(tmp_path) == 3
    assert not partial.exists()


def value_of(folder: Path) -> int | None:
    """What a job resumes from, if from anything."""
    state = Checkpoints(folder / "cell", "one").resume()
    return None if state is None else state["value"]


def values_after_kills(folder: Path, action: Callable[[], None]) -> list[int | None]:
    """What a job whose checkpoint holds 1 resumes from when ``action`` is killed, by moment."""
    cell = folder / "cell"
    (folder / "another").mkdir(exist_ok=True)
    values = []
    Checkpoints(cell, "one").save({"value": 1})
    for _ in kills_of(action):
        values.append(value_of(folder))
        shutil.rmtree(cell, ignore_errors=True)
        Checkpoints(cell, "one").save({"value": 1})
    return values


def test_a_kill_at_any_moment_of_saving_leaves_the_old_checkpoint_or_the_new_one(
    tmp_path: Path,
) -> None:
    values = values_after_kills(
        tmp_path, lambda: Checkpoints(tmp_path / "cell", "one").save({"value": 2})
    )
    first = values.index(2)
    assert first > 2
    assert values == [1] * first + [2] * (len(values) - first)
    assert value_of(tmp_path) == 2
    assert len(list((tmp_path / "cell/one").iterdir())) == 1


def test_a_kill_at_any_moment_of_removal_leaves_a_whole_checkpoint_or_none(tmp_path: Path) -> None:
    values = values_after_kills(tmp_path, lambda: Checkpoints(tmp_path / "cell", "one").clear())
    assert set(values) == {1, None}
    values = values_after_kills(tmp_path, lambda: void(Checkpoints(tmp_path / "cell", "two")))
    assert set(values) == {1, None}


def void(_: object) -> None:
    pass


def test_killed_time_after_time_a_job_goes_on_and_leaves_nothing(tmp_path: Path) -> None:
    def job() -> None:
        checkpoints = Checkpoints(tmp_path / "scratch/cell", "one")
        value = (checkpoints.resume() or {"value": 0})["value"]
        while value < 5:
            value += 1
            checkpoints.save({"value": value})
        (tmp_path / "result").write_text(str(value))
        checkpoints.clear()

    kills = len(list(kills_of(job)))
    assert kills > 10
    assert (tmp_path / "result").read_text() == "5"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_clearing_removes_empty_folders_above_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "scratch/other").mkdir(parents=True)
    checkpoints = Checkpoints(tmp_path / "scratch/task/set/cell", "one")
    checkpoints.save({"value": 1})
    checkpoints.clear()
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["other"]
    shutil.rmtree(tmp_path / "scratch")
    checkpoints.clear()


class Planted:
    """Unpickled by an unrestricted unpickler, it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_nothing_in_a_checkpoint_is_executed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "executed"
    state = {"value": Planted(mark)}
    Checkpoints(tmp_path / "cell", "one").save(state)
    assert value_of(tmp_path) is None
    assert not mark.exists()
    assert "set aside as damaged_1" in capsys.readouterr().err
    # The file is dangerous indeed.
    torch.load(tmp_path / "cell/one/damaged_1/state.pt", weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "missing", "no digest"])
def test_a_damaged_checkpoint_is_set_aside_and_the_job_starts_anew(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Checkpoints(tmp_path / "cell", "one").save({"value": torch.arange(1000)})
    file = tmp_path / "cell/one/1/state.pt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if damage in {"missing", "no digest"}:
        (file if damage == "missing" else file.with_name("sha256")).unlink()
    else:
        file.write_bytes({"flipped": content, "truncated": content[:999]}.get(damage, b""))
    assert value_of(tmp_path) is None
    assert "damaged" in capsys.readouterr().err
    Checkpoints(tmp_path / "cell", "one").save({"value": 3})
    assert value_of(tmp_path) == 3
