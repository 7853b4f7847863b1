"""A small project, run once by DVC, and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.lineage.plan.small_project import COMMANDS, SmallProject


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory, warm: Path | None) -> SmallProject:
    """Do not change it."""
    SmallProject.commands = warm or COMMANDS
    project = SmallProject(tmp_path_factory.mktemp("reproduced") / "project")
    project.create()
    ran, _ = project.repro()
    assert len(ran) == 15
    project.commit()
    return project


@pytest.fixture
def small(
    reproduced: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallProject:
    """A copy of the test's own, as working directory."""
    shutil.copytree(reproduced.folder, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return SmallProject(tmp_path / "project")
