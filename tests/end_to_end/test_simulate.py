"""Simulated data: restored like all else in a clone, and never written over a user's own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from working_copy import Project, copy_project

SIMULATED = {"simulate@embedded", "simulate@embedded_findings"}
PREPROCESS = "studies/segmentation/dvc.yaml:preprocess@embedded"


def digests(project: Project) -> dict[str, str]:
    raw = project.folder / "data/raw"
    files = sorted(file for file in raw.rglob("*") if file.is_file())
    return {str(f.relative_to(raw)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def coarse(parameters: Any) -> None:
    """Few subjects, with two findings that some of them are sure to have."""
    volumes, images = (parameters["datasets"][name] for name in ("embedded", "embedded_findings"))
    volumes["simulate"] |= {"subjects": 2, "spacing": 6.0}
    images["simulate"] |= {"subjects": 6, "spacing": 6.0}
    findings = images["simulate"]["findings"]
    images["simulate"]["findings"] = {name: findings[name] for name in ("mass", "shadow")}


def another_seed(parameters: Any) -> None:
    parameters["datasets"]["embedded"]["simulate"]["seed"] = 5


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing but the data of both studies was simulated, and committed."""
    folder = tmp_path_factory.mktemp("simulated") / "rarelens"
    copy_project(folder)
    project = Project(folder, folder / "data/raw")
    project.run("git", "init", "-q")
    project.change(coarse)
    assert project.repro("simulate") == {"fingerprint", *SIMULATED}
    project.commit()
    return project


def test_a_clone_runs_nothing_and_has_the_same_data(simulated: Project, tmp_path: Path) -> None:
    clone = simulated.clone(tmp_path / "clone")
    assert clone.repro("simulate") == set()
    assert digests(clone) == digests(simulated)
    folders = {Path(name).parent for name in digests(clone)}
    assert Path("embedded/simulated/imagesTr") in folders
    assert Path("embedded_findings/simulated/images") in folders
    assert clone.run("git", "status", "--short").stdout == ""


@pytest.mark.parametrize("cached", [True, False])
def test_a_users_file_is_refused_and_kept(simulated: Project, tmp_path: Path, cached: bool) -> None:
    """By the stage itself; by the reader, where DVC restored the data without the stage."""
    clone = simulated.clone(tmp_path / "clone")
    mine = clone.folder / "data/raw/embedded/precious.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    if not cached:
        clone.change(another_seed)
    done = clone.run("dvc", "repro", PREPROCESS if cached else "simulate@embedded")
    assert done.returncode != 0
    if cached:
        said = "simulated data (in simulated) stand beside other files (precious.txt)"
    else:
        said = "data of your own (precious.txt) stand where a simulated dataset would be written"
    assert f"error: data/raw/embedded: {said}" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert mine.read_text() == "mine"


def test_a_link_to_the_users_data_is_refused_and_nothing_is_written_there(
    simulated: Project, tmp_path: Path
) -> None:
    clone = simulated.clone(tmp_path / "clone")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "precious.txt").write_text("mine")
    link = clone.folder / "data/raw/embedded"
    link.parent.mkdir(parents=True)
    link.symlink_to(theirs)
    clone.change(another_seed)
    done = clone.run("dvc", "repro", "simulate@embedded")
    assert done.returncode != 0
    assert "error: data/raw/embedded: a symbolic link stands" in done.stderr
    assert [file.name for file in theirs.iterdir()] == ["precious.txt"]
