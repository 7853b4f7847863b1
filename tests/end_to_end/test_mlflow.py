"""MLflow after a run from scratch, and after a restore from the cache."""

from __future__ import annotations

import re
import shutil
from typing import Any

from mlflow import MlflowClient

from pipeline.tracking.shown import all_shown
from rarelens.pipeline.tracking import names
from working_copy import Project


def synced(project: Project) -> dict[str, Any]:
    """What MLflow shows of the project after `rarelens sync`."""
    done = project.run("rarelens", "sync")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^MLflow: 6 runs of this study, 0 others", done.stdout, re.MULTILINE)
    client = MlflowClient(project.environment["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("rarelens")
    assert experiment is not None
    return all_shown(client, experiment.experiment_id)


def origins(shown: dict[str, Any]) -> list[str]:
    """Take out whether the trainings were executed or restored."""
    cells = (run["tags"] for run in shown.values() if names.CELL in run.get("tags", ()))
    return [tags.pop(names.ORIGIN) for tags in cells]


def test_a_restored_clone_shows_the_same_runs_as_the_original(
    original: Project, clone: Project
) -> None:
    shutil.rmtree(clone.folder / "mlruns", ignore_errors=True)
    for file in clone.folder.glob("mlflow.db*"):
        file.unlink()
    executed, restored = synced(original), synced(clone)
    assert origins(executed) == ["executed"] * 6
    assert origins(restored) == ["restored"] * 6
    assert restored == executed
    for task in ("segmentation", "classification"):
        assert {"report/index.html", f"metrics/{task}.csv"} <= set(executed[task]["artifacts"])
