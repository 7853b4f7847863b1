"""Stages are killed at random moments; `dvc repro` goes on, and the end is that of no kill."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil
import pytest

from folders import digests
from locks import forget, outputs
from working_copy import Project

# Twenty takes some minutes; the default has each kind of stage of either study once.
KILLS = int(os.environ.get("RARELENS_KILLS", "8"))
CELL = "hippocampus-unet-{}-1-0"
SMEARS = "blood_cells-light_cnn-{}-1-0"
SEGMENTATION = "studies/segmentation/dvc.yaml:{}"
CLASSIFICATION = "studies/classification/dvc.yaml:{}"
# In the order in which DVC runs them.
KILLED = [
    *(SEGMENTATION.format(f"{kind}@{CELL.format('focal')}") for kind in ("train", "extract")),
    SEGMENTATION.format(f"analyse@{CELL.format('focal')}"),
    SEGMENTATION.format(f"adjust@{CELL.format('cross_entropy-threshold')}"),
    *(CLASSIFICATION.format(f"{kind}@{SMEARS.format('bce')}") for kind in ("train", "extract")),
    CLASSIFICATION.format(f"analyse@{SMEARS.format('bce')}"),
    CLASSIFICATION.format(f"retrain@{SMEARS.format('bce-classifier_retraining')}"),
    SEGMENTATION.format("compare"),
    SEGMENTATION.format("browse"),
    CLASSIFICATION.format("compare"),
]
IMPORTS = 1.0  # Seconds before a stage begins to count its own.


def is_training(stage: str) -> bool:
    return ":train@" in stage


def rounds() -> list[str]:
    """Which stage is killed, kill by kill; trainings most often."""
    late = [stage for stage in KILLED if ":adjust" not in stage and ":retrain" not in stage]
    order = [*late, *filter(is_training, KILLED), *(each for each in KILLED if each not in late)]
    return sorted(islice(cycle(order), KILLS), key=KILLED.index)


@pytest.fixture
def unfinished(tmp_path: Path, original: Project) -> Project:
    """A copy of the study, with a cache of its own, in which some stages have not run."""
    folder = tmp_path / "rarelens"
    shutil.copytree(original.folder, folder, symlinks=True)
    project = Project(folder, original.raw)
    project.environment["PYTHONUNBUFFERED"] = "1"
    forget(project, KILLED)
    return project


def test_killed_time_after_time_the_study_ends_in_the_same_bytes(
    unfinished: Project, original: Project
) -> None:
    written = outputs(original)
    del written["report"]  # No kill reaches it: what it is made of comes out the same.
    whole = contents(original, [path for paths in written.values() for path in paths])
    rng = np.random.default_rng(0)
    for number, stage in enumerate(rounds()):
        ready, longest = anyhow, usual_seconds(original, stage)
        if number % 2 and writes_for_long(stage):
            ready, longest = begun(unfinished, stage, written[stage][0]), 0.2
        moment = rng.uniform(0, longest)
        while not killed(unfinished, stage, ready, moment, with_dvc=number % 3 == 2):
            # It was quicker than the signal.
            forget(unfinished, [stage])
            ready, moment = anyhow, moment / 2
        left = sorted(path.name for path in checkpoints(unfinished))
        print(f"{number}: {stage} after {moment:.2f} s, checkpoint {left}")
        found = contents(unfinished, whole)
        assert found == {path: whole[path] for path in found}
    unfinished.repro()
    assert contents(unfinished, whole) == whole
    assert not list(unfinished.folder.rglob("*.partial"))
    assert not (unfinished.folder / "scratch").exists()
    assert unfinished.repro() == set()


def contents(project: Project, paths: Iterable[str]) -> dict[str, object]:
    """Digests of those of the paths that exist; records differ from run to run."""
    found: dict[str, object] = {}
    for path in paths:
        target = project.folder / path
        if target.exists() and not path.startswith("records/"):
            found[path] = digests(target) if target.is_dir() else target.read_bytes()
    return found


def usual_seconds(project: Project, stage: str) -> float:
    name = stage.replace("/", "~")
    return IMPORTS + float((project.folder / ".rarelens/seconds" / name).read_text())


def writes_for_long(stage: str) -> bool:
    return bool(re.search(r":(train|extract|adjust|analyse)@", stage))


def checkpoints(project: Project) -> set[Path]:
    return set(project.folder.glob("scratch/*/*/*/*/*/*/*/[1-9]*"))


def anyhow() -> bool:
    return True


def begun(project: Project, stage: str, output: str) -> Callable[[], bool]:
    """Tells whether from now on a checkpoint, or anything beside its output, was written."""
    if is_training(stage):
        before = checkpoints(project)
        return lambda: bool(checkpoints(project) - before)
    target = project.folder / output
    return target.with_name(f".{target.name}.partial").exists


def killed(
    project: Project, stage: str, ready: Callable[[], bool], moment: float, *, with_dvc: bool
) -> bool:
    """Start `dvc repro` and SIGKILL one of its stages; False if it finished all the same.

    Args:
        project: the working copy.
        stage: which, by its address.
        ready: when ``moment`` begins to count.
        moment: seconds.
        with_dvc: DVC is killed too.
    """
    dvc = psutil.Popen(
        [shutil.which("dvc", path=project.environment["PATH"]), "repro"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    hit, said = False, []
    for line in dvc.stdout:
        said.append(line)
        if f"Running stage '{stage}'" in line:
            process = running_stage(psutil.Process(at_work(dvc)))
            while not ready() and alive(process):
                time.sleep(0.01)
            time.sleep(moment)
            hit = kill(process, dvc if with_dvc else None)
    failed = dvc.wait() != 0
    assert hit or not failed, "".join(said)
    return failed  # A signal comes too late for a process that is at its end, dead or not.


def at_work(process: psutil.Process) -> int:
    """The id of the process that does what a command is there for: the server's child, if warm."""
    if Project.warm is None:
        return process.pid
    link = Project.warm / f"{process.pid}.pid"
    while alive(process) and not link.is_symlink():
        time.sleep(0.01)
    return int(str(link.readlink()))


def running_stage(dvc: psutil.Process) -> psutil.Process:
    """The command of the stage that DVC has just announced, once it works."""
    while True:
        for child in dvc.children(recursive=True):
            with suppress(psutil.Error, FileNotFoundError):
                # A warm command is a script of Python's, with options.
                if re.match(r"(\S+ -SEI )?\S*python\S* stages/", " ".join(child.cmdline())):
                    at_work(child)
                    return child
        time.sleep(0.01)


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(process: psutil.Process, dvc: psutil.Process | None) -> bool:
    """SIGKILL a stage's command and what works for it; False where it has ended already.

    DVC, if it is to die too, dies first.
    """
    try:
        # DVC does not write its locks at one stroke: it is killed only while it waits.
        process.suspend()
        if not alive(process):
            return False
    except psutil.NoSuchProcess:
        return False
    for each in [process] if dvc is None else [dvc, process]:
        for number in (at_work(each), each.pid):
            with suppress(ProcessLookupError):  # It may be at its end.
                os.kill(number, signal.SIGKILL)
    return True
