from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from killing import kills_of
from rarelens.studies.training.checkpoints import Checkpoints


class Accelerator:
    """Saves and loads one number, in two files."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def save_state(self, folder: str) -> None:
        Path(folder).mkdir(parents=True)
        for name in ("a", "b"):
            (Path(folder) / name).write_text(str(self.value))

    def load_state(self, folder: str) -> None:
        self.value = int((Path(folder) / "a").read_text())
        assert self.value == int((Path(folder) / "b").read_text())


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert not Checkpoints(tmp_path / "cell", "one").resume(Accelerator())


def test_the_last_checkpoint_is_resumed(tmp_path: Path) -> None:
    for value in (1, 2):
        Checkpoints(tmp_path / "cell", "one").save(Accelerator(value))
    fresh = Accelerator()
    assert Checkpoints(tmp_path / "cell", "one").resume(fresh)
    assert fresh.value == 2


def test_another_identity_is_never_resumed_but_removed(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "cell", "one").save(Accelerator(1))
    other = Checkpoints(tmp_path / "cell", "two")
    assert not other.resume(Accelerator())
    assert list((tmp_path / "cell").iterdir()) == []


def test_a_half_written_checkpoint_is_ignored(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "cell", "one").save(Accelerator(1))
    partial = tmp_path / "cell/one/partial"
    partial.mkdir()
    (partial / "a").write_text("2")
    assert value_of(tmp_path) == 1
    Checkpoints(tmp_path / "cell", "one").save(Accelerator(3))
    assert value_of(tmp_path) == 3
    assert not partial.exists()


def value_of(folder: Path) -> int | None:
    """What a job resumes from, if from anything."""
    fresh = Accelerator()
    return fresh.value if Checkpoints(folder / "cell", "one").resume(fresh) else None


def values_after_kills(folder: Path, action: Callable[[], None]) -> list[int | None]:
    """What a job whose checkpoint holds 1 resumes from when ``action`` is killed, by moment."""
    cell = folder / "cell"
    (folder / "another").mkdir(exist_ok=True)
    values = []
    Checkpoints(cell, "one").save(Accelerator(1))
    for _ in kills_of(action):
        values.append(value_of(folder))
        shutil.rmtree(cell, ignore_errors=True)
        Checkpoints(cell, "one").save(Accelerator(1))
    return values


def test_a_kill_at_any_moment_of_saving_leaves_the_old_checkpoint_or_the_new_one(
    tmp_path: Path,
) -> None:
    values = values_after_kills(
        tmp_path, lambda: Checkpoints(tmp_path / "cell", "one").save(Accelerator(2))
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
        state = Accelerator()
        checkpoints.resume(state)
        while state.value < 5:
            state.value += 1
            checkpoints.save(state)
        (tmp_path / "result").write_text(str(state.value))
        checkpoints.clear()

    kills = len(list(kills_of(job)))
    assert kills > 10
    assert (tmp_path / "result").read_text() == "5"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_clearing_removes_empty_folders_above_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "scratch/other").mkdir(parents=True)
    checkpoints = Checkpoints(tmp_path / "scratch/task/set/cell", "one")
    checkpoints.save(Accelerator(1))
    checkpoints.clear()
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["other"]
    shutil.rmtree(tmp_path / "scratch")
    checkpoints.clear()
