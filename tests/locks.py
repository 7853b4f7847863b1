"""What DVC's lock files of a working copy remember of the stages that have run."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from typing import Any

from ruamel.yaml import YAML

from working_copy import Project

# Before the name of a stage in its address, by lock file.
LOCKS = {
    "dvc.lock": "",
    "studies/segmentation/dvc.lock": "studies/segmentation/dvc.yaml:",
    "studies/classification/dvc.lock": "studies/classification/dvc.yaml:",
}


def outputs(project: Project) -> dict[str, list[str]]:
    """The paths that each stage has written, by its address."""
    found = {}
    for lock, prefix in LOCKS.items():
        for name, stage in _read(project, lock)["stages"].items():
            found[prefix + name] = [out["path"] for out in stage["outs"]]
    return found


def forget(project: Project, stages: Collection[str]) -> None:
    """Let the working copy be as if these stages had never run; the run cache goes too."""
    written = outputs(project)
    for stage in stages:
        for path in written.get(stage, []):
            target = project.folder / path
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
    for lock, prefix in LOCKS.items():
        content = _read(project, lock)
        for name in list(content["stages"]):
            if prefix + name in stages:
                del content["stages"][name]
        with (project.folder / lock).open("w") as stream:
            YAML().dump(content, stream)
    shutil.rmtree(project.folder / ".dvc/cache/runs", ignore_errors=True)


def _read(project: Project, lock: str) -> Any:
    return YAML().load((project.folder / lock).read_text())
