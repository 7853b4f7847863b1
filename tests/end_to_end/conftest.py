"""A tiny study of real volumes in a repository of its own, run once by DVC and then cloned."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from working_copy import Project, shrink

ROOT = Path(__file__).parents[2]
CASES = 12


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    """A dozen real hippocampi in the MSD layout."""
    source = real_data / "Task04_Hippocampus"
    target = tmp_path_factory.mktemp("raw") / "Task04"
    description = json.loads((source / "dataset.json").read_text())
    description["training"] = description["training"][:CASES]
    description["numTraining"] = CASES
    for pair in description["training"]:
        for file in pair.values():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, target / file)
    (target / "dataset.json").write_text(json.dumps(description))
    return target


def _working_copy(folder: Path, raw: Path) -> Project:
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/raw/hippocampus").symlink_to(raw)
    return Project(folder, raw)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, raw: Path) -> Project:
    """The study, run from scratch and committed."""
    folder = tmp_path_factory.mktemp("project") / "rarelens"
    hidden = shutil.ignore_patterns("__pycache__", "*.egg-info", "tmp", "cache")
    for name in ("src", "stages", ".dvc"):
        shutil.copytree(ROOT / name, folder / name, ignore=hidden)
    for name in ("dvc.yaml", "params.yaml", "requirements.lock", ".dvcignore", ".gitignore"):
        shutil.copyfile(ROOT / name, folder / name)
    project = _working_copy(folder, raw)
    project.run("git", "init", "-q")
    project.change(shrink)
    project.repro()
    project.commit()
    return project


@pytest.fixture
def clone(tmp_path: Path, original: Project) -> Project:
    """A clone of the study that shares its cache; nothing is restored yet."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", original.folder, folder], check=True)
    project = _working_copy(folder, original.raw)
    cache = str(original.folder / ".dvc/cache")
    assert project.run("dvc", "cache", "dir", "--local", cache).returncode == 0
    return project
