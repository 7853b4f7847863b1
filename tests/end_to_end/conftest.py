"""A tiny study of real volumes in a repository of its own, run once by DVC and then cloned."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from working_copy import Project, copy_project, link_raw, shrink

CASES = 12
SMEARS = 12


@pytest.fixture(scope="session", autouse=True)
def warm_projects(warm: Path | None) -> Iterator[None]:
    """Commands of working copies do not import the same libraries again and again."""
    Project.warm = warm
    yield
    Project.warm = None


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    """Folders ``raw`` and ``rarelens``: data, and the study run on them from scratch, committed.

    Made by the first worker of pytest-xdist that asks, for all; not to be changed.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "study"
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _copy_subjects(real_data / "Task04_Hippocampus", folder / "raw/hippocampus")
            _copy_smears(real_data / "bccd_tiles_96px", folder / "raw/blood_cells")
            _run_study(folder / "rarelens", folder / "raw")
            (folder / "done").touch()
    return folder


def _run_study(folder: Path, raw: Path) -> None:
    copy_project(folder)
    link_raw(folder, raw)
    project = Project(folder, raw)
    project.run("git", "init", "-q")
    project.change(shrink)
    done = project.run("dvc", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    project.commit()


@pytest.fixture(scope="session")
def raw(finished: Path) -> Path:
    """Folders ``hippocampus`` and ``blood_cells``: a dozen real subjects, a dozen real smears."""
    return finished / "raw"


def _copy_subjects(source: Path, target: Path) -> None:
    description = json.loads((source / "dataset.json").read_text())
    description["training"] = description["training"][:CASES]
    description["numTraining"] = CASES
    for pair in description["training"]:
        for file in pair.values():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, target / file)
    (target / "dataset.json").write_text(json.dumps(description))


def _copy_smears(source: Path, target: Path) -> None:
    coco = json.loads((source / "annotations.json").read_text())
    platelets = next(each["id"] for each in coco["categories"] if each["name"] == "Platelets")
    rare = {each["image_id"] for each in coco["annotations"] if each["category_id"] == platelets}
    # Smears with platelets, so that every split has some.
    groups = sorted({image["group"] for image in coco["images"] if image["id"] in rare})[:SMEARS]
    coco["images"] = [image for image in coco["images"] if image["group"] in groups]
    kept = {image["id"] for image in coco["images"]}
    coco["annotations"] = [each for each in coco["annotations"] if each["image_id"] in kept]
    (target / "images").mkdir(parents=True)
    for image in coco["images"]:
        name = f"images/{image['file_name']}"
        shutil.copyfile(source / name, target / name)
    (target / "annotations.json").write_text(json.dumps(coco))


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, finished: Path, raw: Path) -> Project:
    """The finished study; each worker has a copy of its own, for a shared cache would restore
    what the tests of another have run.
    """
    folder = tmp_path_factory.mktemp("project") / "rarelens"
    shutil.copytree(finished / "rarelens", folder, symlinks=True)
    return Project(folder, raw)


@pytest.fixture
def unrestored(tmp_path: Path, original: Project) -> Project:
    """A clone of the study that shares its cache; nothing is restored yet."""
    return _clone(tmp_path / "clone", original)


@pytest.fixture(scope="session")
def restored(tmp_path_factory: pytest.TempPathFactory, original: Project) -> Project:
    """A clone in which all was restored, compiled, planned and mirrored, for tests to copy."""
    project = _clone(tmp_path_factory.mktemp("restored") / "clone", original)
    compiled = (sys.executable, "-m", "compileall", "-q", "src", "stages")
    for command in (compiled, ("dvc", "checkout"), ("rarelens", "plan"), ("rarelens", "sync")):
        done = project.run(*command)
        assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def clone(tmp_path: Path, restored: Project) -> Project:
    """A clone of the study, restored from the cache that they share."""
    folder = tmp_path / "clone"
    shutil.copytree(restored.folder, folder, symlinks=True)
    return Project(folder, restored.raw)


def _clone(folder: Path, original: Project) -> Project:
    project = original.clone(folder)
    link_raw(folder, original.raw)
    return project
