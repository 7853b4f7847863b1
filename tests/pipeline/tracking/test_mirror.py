from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.tracking.project import (
    ADJUSTED,
    BCE,
    CLASSIFICATION,
    PLAIN,
    RETRAINED,
    STUDY,
    VALIDATED,
    leave,
    lock,
)
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.client import connect
from rarelens.pipeline.tracking.live import mark_executed
from rarelens.pipeline.tracking.mirror import Synced, sync
from rarelens.pipeline.tracking.runs import find_cell_run, log_epochs
from rarelens.studies.cells import Cell
from rarelens.studies.files import read_json

TRAINED = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0)
Runs = Callable[..., list[Any]]
History = Callable[[str], dict[str, list[tuple[int, float]]]]
Picture = Callable[[], dict[str, Any]]


def tags_of(runs: Runs) -> dict[str, dict[str, str]]:
    return {run.data.tags[names.CELL]: run.data.tags for run in runs()}


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
            TRAINED.folder("models") / "model.json",
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
    assert picture() == {"experiment": {}, "registry": {}}
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
    def files() -> dict[str, tuple[int, bytes]]:
        """All that sync writes, and when it did."""
        kept = [study / "mlflow.db", *(study / "mlruns").rglob("*"), *study.glob(".rarelens/**/*")]
        return {str(f): (f.stat().st_mtime_ns, f.read_bytes()) for f in kept if f.is_file()}

    leave(PLAIN, history=VALIDATED)
    leave(ADJUSTED)
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    before = files()
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    assert files() == before


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
        "test/shift/background", "test/dice", "test/dice/lesion",
        "test_details/volume_ratio/lesion",
    }  # fmt: skip


def test_final_measures_follow_the_analysis(study: Path, runs: Runs, history: History) -> None:
    sync(STUDY)
    leave(BCE, summary=CLASSIFICATION | {"mean": {"auroc": 0.8}})
    sync(STUDY)
    run = next(run for run in runs() if run.data.tags["method"] == "bce")
    assert run.data.metrics["test/auroc"] == 0.8
    assert len(history(run.info.run_id)["usage/steps"]) == 1


def test_a_live_run_that_broke_off_is_completed(
    study: Path, runs: Runs, history: History, picture: Picture, new_database: Callable[[], None]
) -> None:
    sync([BCE])
    whole = picture()
    new_database()
    record = read_json(BCE.folder("records").with_suffix(".json"))
    client, experiment = connect()
    tags = {key: record[key] for key in ("git_commit", "dataset_digest")}
    run, _ = find_cell_run(client, experiment, BCE, record["identity"], tags, record["parameters"])
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
