"""Real cells of both studies launched side by side leave what a serial ``dvc repro`` left."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from locks import LOCKS, forget, outputs
from ray_nodes import Ray, need_ray
from slurm import Slurm, need_slurm
from working_copy import Project

CELLS = re.compile(r"(train|extract|analyse)@.*(focal|weighted_bce)|compare")


@pytest.fixture
def forgetful(tmp_path: Path, original: Project) -> Project:
    """A copy of the study in which one cell of each task, and what follows, has not run."""
    folder = tmp_path / "copy"
    shutil.copytree(original.folder, folder, symlinks=True)
    project = Project(folder, original.raw)
    forget(project, [stage for stage in outputs(project) if CELLS.search(stage)])
    return project


def recorded(project: Project) -> dict[str, list[dict[str, str]]]:
    """What the locks say of each stage, in their order; records tell seconds, and so differ."""
    found = {}
    for lock, prefix in LOCKS.items():
        for name, stage in YAML(typ="safe").load(project.read(lock).decode())["stages"].items():
            entries = [*stage["deps"], *stage["outs"]]
            found[prefix + name] = [each for each in entries if "records" not in each["path"]]
    return found


@pytest.fixture(params=["here", "Slurm", "Ray", "away"])
def through(
    request: pytest.FixtureRequest, tmp_path: Path, forgetful: Project
) -> Iterator[list[str]]:
    """Here; on a Slurm and a Ray of two nodes; in clones elsewhere, what can be computed there."""
    cluster: Slurm | Ray | None = None
    options = []
    if request.param == "Slurm":
        need_slurm()
        (tmp_path / "slurm").mkdir()
        cluster = Slurm(tmp_path / "slurm")
        options = ["--through", "srun --quiet --nodes=1 --ntasks=1 --exclusive"]
    elif request.param == "Ray":
        need_ray()
        cluster = Ray()
        forgetful.environment["PYTHONPATH"] += f"{os.pathsep}{cluster.packages}"
        options = ["--through", "rarelens ray"]
    elif request.param == "away":
        forgetful.run("dvc", "remote", "add", "store", str(tmp_path / "store"))
        forgetful.commit()
        git, scratch = f"--git={forgetful.folder}", f"--scratch={tmp_path}/there"
        for stage in ("train", "extract", "analyse"):
            command = f"{stage}=rarelens away {git} {scratch} store env --chdir=/"
            options += ["--through", command]
    if cluster:
        forgetful.environment |= cluster.environment
    yield options
    if cluster:
        cluster.stop()


def test_locks_and_results_are_those_of_dvc_repro(
    forgetful: Project, original: Project, through: list[str]
) -> None:
    if not through:  # Once: elsewhere it is drawn here as well.
        forget(forgetful, ["report"])
    done = forgetful.run("rarelens", "launch", "--jobs", "2", *through)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^train .* s \(", done.stderr, re.M)) == 2
    assert recorded(forgetful) == recorded(original)
    assert "\nfirst picture: .rarelens/launch/first-look.png (hippocampus" in done.stderr
    assert Image.open(forgetful.folder / ".rarelens/launch/first-look.png").format == "PNG"
    assert forgetful.repro() == set()
