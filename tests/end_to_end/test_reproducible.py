"""Every stage gives the same bytes in another place, another order and another hash seed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import networkx
import pytest
from dvc.repo import Repo
from dvc.stage import PipelineStage

from folders import digests
from locks import outputs
from warm import Warm
from working_copy import Project, copy_project, link_raw

# At once, so that stages of a study end in an order that is not fixed.
WORKERS = 2


# The hash seed is of a process's start; elsewhere it is another one each time.
HASH_SEED = {"PYTHONHASHSEED": "1"}


@pytest.fixture(scope="module")
def seeded() -> Iterator[Path | None]:
    """A folder of commands with that hash seed, whose libraries are imported already."""
    if Project.warm is None:
        yield None
        return
    server = Warm(HASH_SEED)
    yield server.folder
    server.stop()


@pytest.fixture
def elsewhere(tmp_path: Path, original: Project, seeded: Path | None) -> Project:
    """A working copy at another path, without git and DVC, in which nothing has run."""
    project = _bare(tmp_path / "quite/another/place", original, "Asia/Tokyo")
    return _started_by(seeded, project)


def _started_by(commands: Path | None, project: Project) -> Project:
    """The same, each of whose processes has the hash seed."""
    path = [str(commands)] if commands else []
    path.append(project.cold().environment["PATH"])
    project.environment |= {"PATH": os.pathsep.join(path), **HASH_SEED}
    return project


def _bare(folder: Path, original: Project, zone: str) -> Project:
    copy_project(folder)
    link_raw(folder, original.raw)
    for name in (".dvc", "studies", "dvc.yaml"):
        _remove(folder / name)
    shutil.copyfile(original.folder / "params.yaml", folder / "params.yaml")
    project = Project(folder, original.raw)
    project.environment["TZ"] = zone
    return project


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def run_all(project: Project, commands: Sequence[str]) -> None:
    """Run these commands, some at once, starting with the first."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for done in pool.map(lambda command: project.run(*command.split()), commands):
            assert done.returncode == 0, done.stderr


def test_every_stage_gives_the_same_bytes_elsewhere_and_in_another_order(
    original: Project, elsewhere: Project
) -> None:
    left = elsewhere.folder / "scratch/segmentation/hippocampus/unet/no_method/1/0/0123/1"
    left.mkdir(parents=True)
    waves = waves_of(original)
    assert len([stage for wave in waves for stage in wave]) == len(outputs(original))
    for wave in waves:
        run_all(elsewhere, [str(stage.cmd) for stage in reversed(wave)])
    assert not (elsewhere.folder / "scratch").exists()
    for stage, paths in outputs(original).items():
        for path in paths:
            if not path.startswith("records/"):
                assert content(elsewhere, path) == content(original, path), stage


def waves_of(project: Project) -> list[list[PipelineStage]]:
    """The stages, those that may run at the same time together, sorted by their names."""
    with Repo(project.folder) as repository:
        graph = repository.index.graph.reverse()
        return [
            sorted(wave, key=lambda stage: stage.addressing)
            for wave in networkx.topological_generations(graph)
        ]


def content(project: Project, path: str) -> dict[str, str] | bytes:
    target = project.folder / path
    return digests(target) if target.is_dir() else target.read_bytes()


def test_virtual_subjects_and_what_is_prepared_of_them_have_the_same_bytes(
    original: Project, tmp_path: Path, seeded: Path | None
) -> None:
    made = []
    one = _started_by(seeded, _bare(tmp_path / "one", original, "Asia/Tokyo"))
    for project in (one, _bare(tmp_path / "another/place", original, "UTC")):
        shutil.copytree(original.folder / "fingerprints", project.folder / "fingerprints")
        project.change(few_subjects)
        datasets = {"embedded": "segmentation", "embedded_findings": "classification"}
        run_all(project, [f"python stages/simulate.py {name}" for name in datasets])
        run_all(project, [f"python stages/preprocess_{t}.py {n}" for n, t in datasets.items()])
        made.append({name: digests(project.folder / "data" / name) for name in ("raw", "prepared")})
    assert made[0] == made[1]
    written = {path.split("/")[0] for kind in made[0].values() for path in kind}
    assert written >= {"embedded", "embedded_findings"}


def few_subjects(parameters: Any) -> None:
    parameters["datasets"]["embedded"]["simulate"]["subjects"] = 6
    parameters["datasets"]["embedded"]["split"] |= {"test": 2, "validation": 1, "pool": 2}
    parameters["datasets"]["embedded_findings"]["simulate"]["subjects"] = 24
