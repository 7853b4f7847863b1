"""Small DVC projects, and a Slurm of two nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from slurm import Slurm, need_slurm


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A project of these stages, in which the launch then runs."""

    def project(stages: Mapping[str, object], name: str = "project") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        with (folder / "dvc.yaml").open("w") as file:
            YAML().dump({"stages": dict(stages)}, file)
        (folder / "source").write_text("content\n")
        Repo.init(str(folder), no_scm=True).close()
        monkeypatch.chdir(folder)
        return folder

    return project


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Running; commands find it."""
    need_slurm()
    folder = tmp_path / "slurm"
    folder.mkdir()
    cluster = Slurm(folder)
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield cluster
    cluster.stop()
