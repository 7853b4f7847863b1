"""Queued experiments run side by side in working copies, and give what plain runs give."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from mlflow import MlflowClient

from folders import digests
from working_copy import Project

SEGMENTATION = ["studies/segmentation/dvc.yaml:train@hippocampus-unet-focal-1-0"]
CLASSIFICATION = [
    f"studies/classification/dvc.yaml:train@blood_cells-light_cnn-{method}-1-0"
    for method in ("bce", "weighted_bce")
]
SET = {
    "softer": "methods.segmentation.focal.gamma=3.25",
    "shorter": "train.classification.steps=12",
}


def test_two_queued_experiments_give_the_weights_of_plain_runs(clone: Project) -> None:
    # Working copies have what git has: the links to the data among it.
    links = clone.run("git", "ls-files", "data/raw").stdout.split()
    assert links == ["data/raw/blood_cells", "data/raw/hippocampus"]
    clone.run("git", "config", "user.name", "test")
    clone.run("git", "config", "user.email", "test@example.invalid")
    for name, change in SET.items():
        queued = clone.run("dvc", "exp", "run", "--queue", "-n", name, "-S", change)
        assert queued.returncode == 0, queued.stderr
    assert clone.run("git", "status", "--short").stdout == ""
    # Its workers live on: they are processes of their own, whose stages start warm.
    dvc = str(Path(sys.executable).with_name("dvc"))
    started = clone.run(dvc, "queue", "start", "-j", "2")
    assert started.returncode == 0, started.stderr
    _wait(clone)
    _shown_apart(clone)
    for name in SET:
        applied = clone.run("dvc", "exp", "apply", name)
        assert applied.returncode == 0, applied.stderr
        queued_weights = digests(clone.folder / "models")
        # Trained anew, for else the cache would give them back.
        changed = SEGMENTATION if name == "softer" else CLASSIFICATION
        shutil.rmtree(clone.folder / "models")
        clone.repro("--force", "--single-item", *changed)
        plain = digests(clone.folder / "models")
        assert len(plain) == 3 * len(changed)  # weights, card, history
        assert plain == {file: queued_weights[file] for file in plain}
        clone.run("git", "checkout", "-q", ".")


def _wait(clone: Project) -> None:
    """Until both have ended well. To ask takes DVC a second of work: not at every second."""
    for _ in range(120):
        status = clone.run("dvc", "queue", "status").stdout
        if "Queued" not in status and "Running" not in status:
            break
        time.sleep(5)
    logs = [clone.run("dvc", "queue", "logs", name).stdout for name in SET]
    assert status.count("Success") == 2, "\n".join([status, *logs])
    # DVC says so where a lock does not know an output yet; these know all.
    assert "No file hash info" not in "".join(logs)


def _shown_apart(clone: Project) -> None:
    """Each in an MLflow experiment of its own, in the project's database."""
    client = MlflowClient(clone.environment["MLFLOW_TRACKING_URI"])
    for name in SET:
        experiment = client.get_experiment_by_name(f"rarelens · {name}")
        runs = client.search_runs([experiment.experiment_id])
        assert len(runs) == 2 + 6
        assert {run.data.tags["dvc.experiment"] for run in runs} == {name}
        assert {run.data.tags["rarelens.stale"] for run in runs} == {"false"}
        (changed,) = [run for run in runs if run.data.tags.get("method") == "focal"]
        assert changed.data.params["method.gamma"] == ("3.25" if name == "softer" else "2.0")
        study = next(run for run in runs if run.info.run_name == "Segmentation study")
        assert client.list_artifacts(study.info.run_id, "report")
