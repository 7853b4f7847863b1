from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rarelens.training import checkpoints as module
from rarelens.training.checkpoints import Checkpoints


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
    (tmp_path / "cell/partial").mkdir()
    (tmp_path / "cell/partial/a").write_text("2")
    resumed = Accelerator()
    assert Checkpoints(tmp_path / "cell", "one").resume(resumed)
    assert resumed.value == 1
    assert not (tmp_path / "cell/partial").exists()


def test_a_kill_while_the_old_checkpoint_is_removed_leaves_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path / "cell", "one")
    checkpoints.save(Accelerator(1))

    def killed(folder: Path, **_: object) -> None:
        if (folder / "a").is_file():
            (folder / "a").unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(Accelerator(2))
    resumed = Accelerator()
    assert Checkpoints(tmp_path / "cell", "one").resume(resumed)
    assert resumed.value == 2


def test_clearing_removes_empty_folders_above_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "scratch/other").mkdir(parents=True)
    checkpoints = Checkpoints(tmp_path / "scratch/task/set/cell", "one")
    checkpoints.save(Accelerator(1))
    checkpoints.clear()
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["other"]
    shutil.rmtree(tmp_path / "scratch")
    checkpoints.clear()
