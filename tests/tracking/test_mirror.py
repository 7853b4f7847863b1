from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rarelens.cells import Cell
from rarelens.files import read_json, write_json
from rarelens.tracking.client import connect, flatten
from rarelens.tracking.mirror import sync
from rarelens.training.segmentation.job import Job

CELL = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0)
UNTRAINED = Cell("segmentation", "tiny", "unet", "focal", "1", 0)
COSTS = {
    f"cost/{name}"
    for name in (
        "steps", "gradient_evaluations", "seconds", "patches_per_second", "peak_memory_mib",
    )
}  # fmt: skip
EPOCHS = {"train/loss", "train/learning_rate", "validation/dice"}
BCE = Cell("classification", "smears", "light_cnn", "bce", "1", 0)
RETRAINED = replace(BCE, method="bce+classifier_retraining")
Runs = Callable[[], list[Any]]
History = Callable[[str], dict[str, list[tuple[int, float]]]]


def tags_of(run: Any) -> dict[str, str]:
    return {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}


def new_database(project: Path, template: Path) -> None:
    """As if the user had deleted the database and a new one was made."""
    shutil.copy(template, project / "mlflow.db")
    # MLflow keeps connections to the old file open.
    from mlflow.tracking._tracking_service import utils

    utils._tracking_store_registry._get_store_with_resolved_uri.cache_clear()


def test_the_live_run_is_adopted_and_completed(trained: Path, runs: Runs, history: History) -> None:
    (live,) = runs()
    assert set(live.data.metrics) == EPOCHS
    assert sync([CELL, UNTRAINED]) == (1, 0)
    (run,) = runs()
    assert run.info.run_id == live.info.run_id
    assert set(run.data.metrics) == EPOCHS | COSTS
    assert run.data.metrics["cost/steps"] == 30
    assert run.data.tags["rarelens.stale"] == "false"
    assert [step for step, _ in history(run.info.run_id)["train/loss"]] == [10, 20, 30]


def test_nothing_is_ever_doubled(trained: Path, runs: Runs, history: History) -> None:
    sync([CELL])
    first = history(runs()[0].info.run_id)
    sync([CELL])
    (run,) = runs()
    assert history(run.info.run_id) == first


def test_final_measures_come_from_the_analysis(trained: Path, runs: Runs, history: History) -> None:
    summary = CELL.folder("analyses") / "summary.json"
    write_json(summary, {"left": {"dice": 0.25, "hd95": None}})
    sync([CELL])
    assert runs()[0].data.metrics["test/left/dice"] == 0.25
    assert "test/left/hd95" not in runs()[0].data.metrics
    write_json(summary, {"left": {"dice": 0.75, "hd95": 3.0}})
    sync([CELL])
    metrics = runs()[0].data.metrics
    assert (metrics["test/left/dice"], metrics["test/left/hd95"]) == (0.75, 3.0)
    assert len(history(runs()[0].info.run_id)["cost/steps"]) == 1


def test_runs_of_other_cells_are_stale_until_they_come_back(trained: Path, runs: Runs) -> None:
    assert sync([UNTRAINED]) == (0, 1)
    assert runs()[0].data.tags["rarelens.stale"] == "true"
    assert sync([CELL]) == (1, 0)
    assert runs()[0].data.tags["rarelens.stale"] == "false"


def test_another_identity_gets_its_own_run(trained: Path, runs: Runs) -> None:
    file = CELL.folder("records").with_suffix(".json")
    write_json(file, read_json(file) | {"identity": "other"})
    assert sync([CELL]) == (1, 1)
    stale = {run.data.tags["rarelens.identity"]: run.data.tags["rarelens.stale"] for run in runs()}
    assert stale.pop("other") == "false"
    assert list(stale.values()) == ["true"]


def test_a_deleted_database_is_rebuilt(
    trained: Path, mlflow_template: Path, runs: Runs, history: History
) -> None:
    sync([CELL])
    (before,) = runs()
    points = history(before.info.run_id)
    new_database(trained, mlflow_template)
    assert runs() == []
    assert sync([CELL]) == (1, 0)
    (after,) = runs()
    assert after.info.run_id != before.info.run_id
    assert after.info.status == "FINISHED"
    assert after.info.run_name == before.info.run_name
    assert after.data.params == before.data.params
    assert tags_of(after) == tags_of(before)
    rebuilt = history(after.info.run_id)
    assert set(rebuilt) == set(points) == EPOCHS | COSTS
    for name, values in points.items():
        # history.csv keeps nine digits.
        assert rebuilt[name] == [(step, pytest.approx(value, rel=1e-8)) for step, value in values]


def test_a_live_run_that_broke_off_is_completed(
    trained: Path,
    mlflow_template: Path,
    make_job: Callable[..., Job],
    runs: Runs,
    history: History,
) -> None:
    record = read_json(CELL.folder("records").with_suffix(".json"))
    complete = history(runs()[0].info.run_id)
    new_database(trained, mlflow_template)
    from rarelens.tracking import client as mlflow

    client, experiment = connect()
    run = mlflow.create_run(client, experiment, CELL, record["identity"], {})
    mlflow.log_parameters(client, run, make_job(steps=30, epoch_steps=10).as_dict())
    mlflow.log_epochs(client, run, [{"step": 10, "loss": complete["train/loss"][0][1]}])
    sync([CELL])
    (found,) = runs()
    assert (found.info.run_id, found.info.status) == (run, "FINISHED")
    assert found.data.params["settings.steps"] == "30"
    assert [step for step, _ in history(run)["train/loss"]] == [10, 20, 30]


def leave_classifier(cell: Cell, score: str, parameters: dict[str, Any], summary: Any) -> None:
    """Leave behind what the stages of a classification cell do, as far as MLflow is told."""
    record = {
        "identity": f"identity of {cell.method}",
        "git_commit": "abc",
        "dataset_digest": "def",
        "parameters": parameters,
        "steps": 4,
        "gradient_evaluations": 4,
        "seconds": 2.0,
        "peak_memory_mib": 300.0,
        "images_per_second": 16.0,
    }
    write_json(cell.folder("records").with_suffix(".json"), record)
    cell.folder("models").mkdir(parents=True)
    history = f"step,loss,learning_rate{score}\n2,0.7,0.01{score and ',0.4'}\n"
    (cell.folder("models") / "history.csv").write_text(history)
    write_json(cell.folder("analyses") / "summary.json", summary)


def test_classifiers_and_new_heads_get_a_run_each(
    project: Path, runs: Runs, history: History
) -> None:
    summary = {
        "mean": {"auroc": 0.75},
        "class": {"WBC": {"auroc": 0.5, "average_precision": 0.25}},
        "alignment": {"pointing_game": 0.6},
        "layers": {"stage3": {"detectors": 4.0, "effective_rank": 2.5}},
    }
    score = ",validation_average_precision"
    leave_classifier(BCE, score, {"method": {"objective": "bce"}}, summary)
    head = {"method": {"objective": "bce"}, "adjustment": {"steps": 20}}
    leave_classifier(RETRAINED, "", head, summary | {"mean": {"auroc": 0.8}})
    cells = [BCE, RETRAINED, CELL]
    assert sync(cells) == (2, 0)
    first = {run.info.run_id: history(run.info.run_id) for run in runs()}
    assert sync(cells) == (2, 0)
    assert {run.info.run_id: history(run.info.run_id) for run in runs()} == first

    found = {run.data.tags["method"]: run for run in runs()}
    assert set(found) == {"bce", "bce+classifier_retraining"}
    base, new = found["bce"], found["bce+classifier_retraining"]
    assert base.data.metrics["validation/average_precision"] == 0.4
    assert "validation/average_precision" not in new.data.metrics
    assert (base.data.metrics["test/mean/auroc"], new.data.metrics["test/mean/auroc"]) == (
        0.75,
        0.8,
    )
    for run in (base, new):
        assert run.info.status == "FINISHED"
        assert run.data.tags["rarelens.stale"] == "false"
        assert run.data.tags["rarelens.identity"] == f"identity of {run.data.tags['method']}"
        assert run.data.metrics["cost/images_per_second"] == 16
        assert run.data.metrics["train/loss"] == 0.7
        assert run.data.metrics["test/class/WBC/average_precision"] == 0.25
        assert run.data.metrics["test/alignment/pointing_game"] == 0.6
        assert run.data.metrics["test/layers/stage3/effective_rank"] == 2.5
    assert new.data.params["adjustment.steps"] == "20"
    assert "adjustment.steps" not in base.data.params
    # Where the new head is no longer in the study, its run alone is stale.
    assert sync([BCE]) == (1, 1)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Pleural Thickening", "Pleural Thickening"),
        ("a/b (c)", "a_b _c_"),
        ("iou@0.25", "iou_0.25"),
        ("body.denseblock2", "body.denseblock2"),
        ("Œdème – µ", "Œdème _ µ"),
        ("50%: x\n", "50__ x_"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        ("/", "_"),
    ],
)
def test_every_name_becomes_one_that_mlflow_takes(
    name: str, shown: str, project: Path, runs: Runs
) -> None:
    summary = {"class": {name: {"auroc": 0.5}}, "layers": {name: {name: 1.0}}, name: None}
    leave_classifier(BCE, "", {}, summary)
    assert sync([BCE]) == (1, 0)
    final = {key for key in runs()[0].data.metrics if key.startswith("test/")}
    assert final == {f"test/class/{shown}/auroc", f"test/layers/{shown}/{shown}"}


def test_parameters_are_joined_by_dots() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {
        "a.b": 1,
        "a.c.d": [2],
        "e": None,
    }
