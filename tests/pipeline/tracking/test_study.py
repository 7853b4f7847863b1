"""The studies' own runs, and the page's views."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.tracking.project import STUDY
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.client import connect
from rarelens.pipeline.tracking.mirror import sync

Runs = Callable[..., list[Any]]
Picture = Callable[[], dict[str, Any]]


def test_runs_lie_below_one_run_for_each_study(study: Path, runs: Runs) -> None:
    sync(STUDY)
    parents = {run.data.tags[names.STUDY]: run for run in runs(names.STUDY)}
    assert {key: run.data.metrics for key, run in parents.items()} == {
        "segmentation": {"study/cells": 2},
        "classification": {"study/cells": 3},
    }
    for run in runs():
        own = parents[run.data.tags["task"]]
        assert run.data.tags[names.PARENT] == own.info.run_id
    (dataset,) = parents["segmentation"].inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("brains", "digest-brains")


def test_the_study_shows_report_figures_and_tables_as_they_are_now(
    study: Path, picture: Picture
) -> None:
    sync(STUDY)
    assert set(picture()["segmentation"]["artifacts"]) == {
        "report/index.html", "figures/brains-unet-1-shift.png", "metrics/segmentation.csv",
    }  # fmt: skip
    assert set(picture()["classification"]["artifacts"]) == {
        "report/index.html", "figures/smears-light_cnn-1-shift.png",
        "metrics/classification.csv", "metrics/classification_pairs.csv",
    }  # fmt: skip
    Path("reports/figures/brains-unet-1-shift.png").unlink()
    Path("reports/index.html").write_text("<p>another")
    sync(STUDY)
    now = picture()["segmentation"]["artifacts"]
    assert now == {
        "report/index.html": b"<p>another",
        "metrics/segmentation.csv": b"segmentation.csv",
    }


def test_saved_views_show_a_study_by_cell_and_by_method(study: Path) -> None:
    sync(STUDY)
    client, experiment = connect()
    tags = client.get_experiment(experiment).tags
    view = tags["mlflow.sharedViewState.segmentation-means"]
    assert "Segmentation: means over seeds" in view
    for measure in ("test/dice/lesion", "test/shift/background"):
        assert f"metrics.`{measure}`" in view
    assert "test_details" not in view
    # The view's filter is one that MLflow understands, and finds the cells and nothing else.
    query = "tags.`rarelens.cell` LIKE 'segmentation/%' AND tags.`rarelens.stale` = 'false'"
    assert query in view
    assert len(client.search_runs([experiment], query)) == 2
