from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rarelens.cells import Cell
from rarelens.files import read_json, write_json
from rarelens.tracking import names
from rarelens.tracking.adopt import open_run
from rarelens.tracking.client import connect
from rarelens.tracking.executed import mark_executed
from rarelens.tracking.mirror import Synced, sync
from rarelens.tracking.runs import log_epochs
from tracking.project import (
    ADJUSTED,
    BCE,
    CLASSIFICATION,
    PLAIN,
    RETRAINED,
    STUDY,
    leave,
    lock,
)

TRAINED = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0)
Runs = Callable[..., list[Any]]
History = Callable[[str], dict[str, list[tuple[int, float]]]]
Picture = Callable[[], dict[str, Any]]


@pytest.fixture
def study(project: Path) -> Path:
    """Both studies, with a post-hoc cell each and something to show for the comparison."""
    for cell in STUDY:
        leave(cell)
    for name in ("segmentation.csv", "classification.csv", "classification_pairs.csv"):
        Path("metrics").mkdir(exist_ok=True)
        Path("metrics", name).write_text(name)
    Path("reports/figures").mkdir(parents=True)
    Path("reports/index.html").write_text("<p>report")
    for name in ("brains-unet-1-shift", "smears-light_cnn-1-shift", "brains_old-unet-1-shift"):
        Path("reports/figures", f"{name}.png").write_bytes(name.encode())
    return project


def tags_of(runs: Runs) -> dict[str, dict[str, str]]:
    return {run.data.tags[names.CELL]: run.data.tags for run in runs()}


def stale(runs: Runs) -> list[str]:
    return sorted(
        run.data.tags[names.IDENTITY] for run in runs() if run.data.tags[names.STALE] == "true"
    )


def test_the_live_run_is_adopted_and_completed(trained: Path, runs: Runs, history: History) -> None:
    leave_analysis_of_trained()
    (live,) = runs()
    assert sync([TRAINED, PLAIN]) == Synced(current=1, stale=0, absent=0)
    (run,) = runs()
    assert run.info.run_id == live.info.run_id
    assert run.data.metrics["usage/steps"] == 30
    assert run.data.metrics["test/dice/lesion"] == 0.25
    assert run.data.tags[names.ORIGIN] == "executed"
    assert run.data.tags[names.STATE]
    assert [step for step, _ in history(run.info.run_id)["train/loss"]] == [10, 20, 30]


def leave_analysis_of_trained() -> None:
    """The trained cell's record and model are real; what follows from them is made up."""
    files = {
        file: file.read_bytes()
        for file in (
            TRAINED.folder("models") / "history.csv",
            TRAINED.folder("models") / "weights.safetensors",
            TRAINED.folder("records").with_suffix(".json"),
        )
    }
    leave(TRAINED)
    for file, content in files.items():
        file.write_bytes(content)
    lock(TRAINED)


def test_a_deleted_database_shows_the_same_picture_again(
    trained: Path, new_database: Callable[[], None], picture: Picture
) -> None:
    leave_analysis_of_trained()
    sync([TRAINED])
    before = picture()
    new_database()
    assert len(picture()) == 1
    sync([TRAINED])
    assert picture() == before


def test_a_restored_clone_shows_the_same_but_for_its_origin(
    study: Path, new_database: Callable[[], None], picture: Picture
) -> None:
    for cell in STUDY:
        mark_executed(f"identity-{cell.method}-{cell.seed}")
    sync(STUDY)
    original = picture()
    shutil.rmtree(".rarelens")  # A clone has none.
    new_database()
    sync(STUDY)
    restored = picture()
    cells = [value for key, value in original.items() if key.count("/")]
    assert [cell["tags"].pop(names.ORIGIN) for cell in cells] == ["executed"] * 5
    cells = [value for key, value in restored.items() if key.count("/")]
    assert [cell["tags"].pop(names.ORIGIN) for cell in cells] == ["restored"] * 5
    assert restored == original


def test_what_is_up_to_date_is_not_written_to(study: Path, runs: Runs) -> None:
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    before = (study / "mlflow.db").read_bytes()
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    assert (study / "mlflow.db").read_bytes() == before


def test_each_dimension_is_a_tag_and_an_adjusted_cell_names_its_base(
    study: Path, runs: Runs
) -> None:
    sync(STUDY)
    tags = tags_of(runs)
    adjusted = tags[f"segmentation/{ADJUSTED.name}"]
    keys = ("task", "dataset", "network", "method", "fraction", "seed", "base", "adjustment")
    assert [adjusted[key] for key in keys] == [
        "segmentation", "brains", "unet", "cross_entropy+threshold", "1", "0", "cross_entropy",
        "threshold",
    ]  # fmt: skip
    assert "base" not in tags[f"segmentation/{PLAIN.name}"]
    assert tags[f"classification/{RETRAINED.name}"]["base"] == "bce"
    assert adjusted["weights"] == f"models/segmentation/{PLAIN.name}/weights.safetensors"
    assert re.fullmatch("[0-9a-f]{64}", adjusted["weights.sha256"])
    assert adjusted["environment.torch"] == "2.13"
    assert adjusted["mlflow.source.git.commit"] == "abc"
    assert adjusted["git_commit"] == "abc+"


def test_an_adjusted_cell_shows_its_adjustment_and_anew_when_it_changes(
    study: Path, runs: Runs
) -> None:
    sync(STUDY)

    def adjusted() -> dict[str, str]:
        """Its biases, by whether they are stale."""
        found = [run for run in runs() if run.data.tags["method"] == ADJUSTED.method]
        return {
            run.data.tags[names.STALE]: run.data.params["adjustment.logit_bias"] for run in found
        }

    assert adjusted() == {"false": "[0.0, 0.5]"}
    leave(ADJUSTED, logit_bias=[0.0, 0.75])
    assert sync(STUDY) == Synced(current=5, stale=1, absent=0)
    assert adjusted() == {"true": "[0.0, 0.5]", "false": "[0.0, 0.75]"}


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


def test_a_cell_has_a_picture_and_its_dataset(study: Path, picture: Picture) -> None:
    sync(STUDY)
    shown = picture()[f"classification/{BCE.name} identity-bce-0"]
    assert list(shown["artifacts"]) == ["figures/margins.png"]
    assert shown["artifacts"]["figures/margins.png"].startswith(b"\x89PNG")
    source = '{"uri": "data/prepared/smears"}'
    assert shown["datasets"] == [("smears", "digest-smears", source, "train")]


def test_all_cells_of_a_task_have_the_same_metrics(study: Path, runs: Runs) -> None:
    sync(STUDY)
    shown = {run.data.tags["task"]: set(run.data.metrics) for run in runs()}
    assert all(set(run.data.metrics) == shown[run.data.tags["task"]] for run in runs())
    common = {"train/loss", "train/learning_rate"} | {
        f"usage/{name}"
        for name in (
            "steps", "gradient_evaluations", "seconds", "images_per_second", "peak_memory_mib",
        )
    }  # fmt: skip
    assert shown["classification"] == common | {
        "test/auroc", "test/auroc/WBC", "test/pointing_game", "test_details/effective_rank/stage3",
    }  # fmt: skip
    assert shown["segmentation"] == common | {
        "test/shift/background", "test/dice/lesion", "test_details/volume_ratio/lesion",
    }  # fmt: skip


def test_final_measures_follow_the_analysis(study: Path, runs: Runs, history: History) -> None:
    sync(STUDY)
    leave(BCE, summary=CLASSIFICATION | {"mean": {"auroc": 0.8}})
    sync(STUDY)
    run = next(run for run in runs() if run.data.tags["method"] == "bce")
    assert run.data.metrics["test/auroc"] == 0.8
    assert len(history(run.info.run_id)["usage/steps"]) == 1


def test_a_measure_that_is_gone_goes_from_the_page(study: Path, runs: Runs) -> None:
    sync(STUDY)
    leave(BCE, summary={"mean": {"auroc": 0.75}})
    assert sync(STUDY) == Synced(current=5, stale=1, absent=0)
    (run,) = [
        run
        for run in runs()
        if run.data.tags["method"] == "bce" and run.data.tags[names.STALE] == "false"
    ]
    assert [name for name in run.data.metrics if name.startswith("test")] == ["test/auroc"]


def test_measures_of_other_weights_are_not_shown(study: Path, runs: Runs) -> None:
    """Trained anew, analysed not yet: what the analysis says is about the old weights."""
    old = {file: file.read_bytes() for file in Path("studies").rglob("dvc.lock")}
    leave(BCE, identity="new")
    new = read_json(Path("studies/classification/dvc.lock"))
    for file, content in old.items():
        file.write_bytes(content)
    stages = read_json(Path("studies/classification/dvc.lock"))
    stages["stages"][f"train@{BCE.name}"] = new["stages"][f"train@{BCE.name}"]
    write_json(Path("studies/classification/dvc.lock"), stages)
    sync([BCE])
    (run,) = runs()
    assert run.data.tags[names.IDENTITY] == "new"
    assert not [name for name in run.data.metrics if name.startswith("test")]
    assert "train/loss" in run.data.metrics


def test_runs_of_other_cells_are_stale_until_they_come_back(study: Path, runs: Runs) -> None:
    sync(STUDY)
    assert sync([BCE, RETRAINED, PLAIN, ADJUSTED]) == Synced(current=4, stale=1, absent=0)
    assert stale(runs) == ["identity-focal-0"]
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    assert stale(runs) == []


def test_a_study_that_is_switched_off_is_stale_with_its_cells(study: Path, runs: Runs) -> None:
    sync(STUDY)
    assert sync([PLAIN, ADJUSTED]) == Synced(current=2, stale=4, absent=0)
    marks = {run.data.tags[names.STUDY]: run.data.tags[names.STALE] for run in runs(names.STUDY)}
    assert marks == {"segmentation": "false", "classification": "true"}
    assert sync(STUDY).stale == 0


def test_another_identity_gets_its_own_run_and_the_first_comes_back(
    study: Path, runs: Runs
) -> None:
    sync([BCE])
    leave(BCE, identity="other")
    assert sync([BCE]) == Synced(current=1, stale=1, absent=0)
    assert stale(runs) == ["identity-bce-0"]
    leave(BCE)
    assert sync([BCE]) == Synced(current=1, stale=1, absent=0)
    assert stale(runs) == ["other"]


def test_of_two_runs_with_one_identity_the_older_is_kept(study: Path, runs: Runs) -> None:
    client, experiment = connect()
    doubles = [
        client.create_run(experiment, start, names.cell_tags(BCE, "identity-bce-0")).info.run_id
        for start in (2000, 1000)
    ]
    parents = [client.create_run(experiment, 1, {names.STUDY: "classification"}) for _ in range(2)]
    assert sync([BCE]) == Synced(current=1, stale=2, absent=0)
    marks = {run.info.run_id: run.data.tags[names.STALE] for run in runs()}
    assert marks == {doubles[0]: "true", doubles[1]: "false"}
    assert sorted(run.data.tags[names.STALE] for run in runs(names.STUDY)) == ["false", "true"]
    assert len(parents) == 2
    assert sync([BCE]) == Synced(current=1, stale=2, absent=0)


def test_runs_that_are_not_ours_are_left_alone(study: Path) -> None:
    client, experiment = connect()
    own = client.create_run(experiment, run_name="mine").info.run_id
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    assert names.STALE not in client.get_run(own).data.tags


@pytest.mark.parametrize("stage", ["records", "models", "extracts", "analyses"])
def test_a_cell_that_is_not_on_disk_is_counted_and_not_half_logged(
    study: Path, runs: Runs, stage: str
) -> None:
    folder = ADJUSTED.folder(stage)
    if stage in ("records", "models"):
        folder = PLAIN.folder(stage)
    shutil.rmtree(folder.parent)
    missing = 1 if stage in ("extracts", "analyses") else 2
    assert sync([PLAIN, ADJUSTED]) == Synced(current=2 - missing, stale=0, absent=missing)
    assert len(runs()) == 2 - missing


def test_a_cell_without_a_place_in_the_lock_is_left_out(study: Path, runs: Runs) -> None:
    other = replace(BCE, seed=1)
    shutil.copytree(BCE.folder("models"), other.folder("models"))
    assert sync([BCE, other]) == Synced(current=1, stale=0, absent=0)


def test_a_live_run_that_broke_off_is_completed(
    study: Path, runs: Runs, history: History, picture: Picture, new_database: Callable[[], None]
) -> None:
    sync([BCE])
    whole = picture()
    new_database()
    record = read_json(BCE.folder("records").with_suffix(".json"))
    client, experiment = connect()
    tags = {key: record[key] for key in ("git_commit", "dataset_digest")}
    run, _ = open_run(client, experiment, BCE, record["identity"], tags, record["parameters"])
    log_epochs(client, run, [{"step": 2, "loss": 0.7}], {})  # Its learning rate is missing.
    sync([BCE])
    (found,) = runs()
    assert (found.info.run_id, found.info.status) == (run, "FINISHED")
    assert history(run)["train/learning_rate"] == [(2, 0.01), (4, 0.001)]
    assert picture() == whole


def test_an_epoch_without_validation_has_no_point(
    study: Path, runs: Runs, history: History
) -> None:
    text = "step,loss,learning_rate,validation_average_precision\n2,0.7,0.1,\n4,0.6,0.1,0.4\n"
    leave(BCE, history=text)
    sync([BCE])
    points = history(runs()[0].info.run_id)
    assert points["validation/average_precision"] == [(4, 0.4)]
    assert points["train/loss"] == [(2, 0.7), (4, 0.6)]


def test_a_run_that_another_machine_logged_stays_executed(study: Path, runs: Runs) -> None:
    mark_executed("identity-bce-0")
    sync([BCE])
    shutil.rmtree(".rarelens")
    leave(BCE, summary={"mean": {"auroc": 0.1}})
    sync([BCE])
    assert [run.data.tags[names.ORIGIN] for run in runs()] == ["executed"] * len(runs())


def test_more_epochs_and_parameters_than_a_server_takes_at_once(
    study: Path, runs: Runs, history: History
) -> None:
    lines = "".join(f"{step},{1 / step},0.1\n" for step in range(1, 1202))
    leave(
        BCE,
        history=f"step,loss,learning_rate\n{lines}",
        parameters={"many": {f"p{i}": i for i in range(150)}},
    )
    sync([BCE])
    (run,) = runs()
    assert len(history(run.info.run_id)["train/loss"]) == 1201
    assert run.data.params["many.p149"] == "149"


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
    leave(BCE, summary={"class": {name: {"auroc": 0.5}}, "layers": {name: {name: 1.0}}})
    sync([BCE])
    final = {key for key in runs()[0].data.metrics if key.startswith("test")}
    assert final == {f"test/auroc/{shown}", f"test_details/{shown}/{shown}"}
