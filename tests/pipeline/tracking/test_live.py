from __future__ import annotations

import atexit
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.live import LiveRun, warn_not_logged, was_executed
from rarelens.pipeline.tracking.mirror import sync
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.files import read_json
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.job import SegmentationJob

MakeJob = Callable[..., SegmentationJob]
Runs = Callable[..., list[Any]]
History = Callable[[str], dict[str, list[tuple[int, float]]]]


def database(project: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(project.glob("mlflow.db*")))


def test_training_is_logged_as_it_goes(
    tiny: PreparedDataset, make_job: MakeJob, project: Path, runs: Runs, history: History
) -> None:
    job = make_job()
    train_cell(job, tiny, LiveRun)
    (run,) = runs()
    record = read_json(job.cell.folder("records").with_suffix(".json"))
    assert run.info.status == "FINISHED"
    tags = {key: run.data.tags[key] for key in run.data.tags if not key.startswith("mlflow.")}
    assert run.info.run_name == "cross_entropy · seed 0 · tiny · unet · 1"
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("tiny", tiny.digest())
    assert tags == {
        "rarelens.cell": "segmentation/tiny/unet/cross_entropy/1/0",
        "rarelens.identity": job.identity(tiny),
        "rarelens.origin": "executed",
        "rarelens.stale": "false",
        "git_commit": record["git_commit"],
        "dataset_digest": tiny.digest(),
        "task": "segmentation",
        "dataset": "tiny",
        "network": "unet",
        "method": "cross_entropy",
        "fraction": "1",
        "seed": "0",
    }
    assert run.data.params["settings.learning_rate"] == "0.01"
    assert run.data.params["network.channels"] == "[4, 8]"
    points = history(run.info.run_id)
    assert set(points) == {"train/loss", "train/learning_rate", "validation/dice"}
    assert [step for step, _ in points["train/loss"]] == [2, 4, 6]


def test_the_run_lies_below_its_study(
    tiny: PreparedDataset, make_job: MakeJob, project: Path, runs: Runs
) -> None:
    train_cell(make_job(), tiny, LiveRun)
    train_cell(make_job(seed=1), tiny, LiveRun)
    (study,) = runs(names.STUDY)
    assert [run.data.tags[names.PARENT] for run in runs()] == [study.info.run_id] * 2


def test_case_ids_stay_out(tiny: PreparedDataset, make_job: MakeJob, project: Path) -> None:
    train_cell(make_job(), tiny, LiveRun)
    assert b"cross_entropy" in database(project)
    assert [case for case in tiny.table.index if case.encode() in database(project)] == []


def test_case_ids_go_in_if_asked_for(
    tiny: PreparedDataset,
    make_job: MakeJob,
    project: Path,
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RARELENS_MLFLOW_CASE_IDS", "1")
    train_cell(make_job(), tiny, LiveRun)
    assert runs()[0].data.tags["training_cases"] == ",".join(make_job().training_cases(tiny))


def test_a_resumed_training_takes_its_run_up_again(
    tiny: PreparedDataset,
    make_job: MakeJob,
    project: Path,
    runs: Runs,
    history: History,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = make_job(steps=8, checkpoint_epochs=2)
    original = LiveRun.epoch

    def epoch(self: LiveRun, row: dict[str, float]) -> None:
        original(self, row)
        if row["step"] == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LiveRun, "epoch", epoch)
        with pytest.raises(KeyboardInterrupt):
            train_cell(job, tiny, LiveRun)
    assert runs()[0].info.status == "KILLED"
    train_cell(job, tiny, LiveRun)  # From step 4, so that step 6 comes twice.
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert [step for step, _ in history(run.info.run_id)["train/loss"]] == [2, 4, 6, 8]


def test_a_run_is_not_left_running_where_the_record_cannot_be_written(
    tiny: PreparedDataset,
    make_job: MakeJob,
    project: Path,
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    leaving: list[Callable[[], None]] = []
    monkeypatch.setattr("rarelens.studies.training.run.write_json", full)
    monkeypatch.setattr(atexit, "register", leaving.append)
    with pytest.raises(OSError, match="No space"):
        train_cell(make_job(), tiny, LiveRun)
    # As Python does when the process ends.
    (leave,) = [own for own in leaving if isinstance(getattr(own, "__self__", None), LiveRun)]
    leave()
    assert runs()[0].info.status == "FAILED"


def test_training_goes_on_while_the_server_is_away(
    tiny: PreparedDataset,
    make_job: MakeJob,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    begun = time.perf_counter()
    train_cell(make_job(), tiny, LiveRun)
    assert time.perf_counter() - begun < 15
    said = [line for line in capfd.readouterr().err.splitlines() if "steps loss" not in line]
    assert [line for line in said if line.strip()] == [line for line in said if "warning:" in line]
    assert len([line for line in said if "warning:" in line]) == 1
    # That it ran here is known without MLflow.
    assert was_executed(make_job().identity(tiny))
    assert (make_job().cell.folder("models") / "model.json").is_file()


def test_a_server_that_goes_away_is_told_once(
    make_job: MakeJob, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = LiveRun({"dataset_digest": "d"}, [])
    run.start(make_job().cell, "identity", {})
    run._client = None if run._client is None else _Away()
    for step in (1, 2):
        run.epoch({"step": step, "loss": 1.0})
    run.end("FINISHED")
    assert capfd.readouterr().err.count("warning: MLflow does not answer") == 1


def test_a_training_that_fails_is_not_taken_for_executed(make_job: MakeJob, project: Path) -> None:
    run = LiveRun({"dataset_digest": "d"}, [])
    run.start(make_job().cell, "identity", {})
    run.end("FAILED")
    assert not was_executed("identity")


def test_a_sync_meanwhile_does_not_leave_the_run_stale(
    make_job: MakeJob, project: Path, runs: Runs
) -> None:
    run = LiveRun({"dataset_digest": "d"}, [])
    run.start(make_job().cell, "identity", {})
    assert sync([make_job().cell]).current == 0  # The lock does not know it yet.
    assert runs()[0].data.tags[names.STALE] == "true"
    run.end("FINISHED")
    assert runs()[0].data.tags[names.STALE] == "false"


class _Away:
    def __getattr__(self, name: str) -> Any:
        raise ConnectionError("away")


def test_a_server_that_is_away_is_told_with_the_cure(capsys: pytest.CaptureFixture[str]) -> None:
    warn_not_logged(ConnectionError("refused\nby host"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow does not answer")
    assert line.endswith("(`rarelens sync` adds it later): refused by host")


def test_a_broken_file_of_ours_is_no_failure_of_mlflow(capsys: pytest.CaptureFixture[str]) -> None:
    warn_not_logged(RarelensError("dvc.lock: broken; restore it", "records/a.json: broken"))
    assert capsys.readouterr().err.splitlines() == [
        "warning: MLflow is not up to date: dvc.lock: broken; restore it",
        "warning: MLflow is not up to date: records/a.json: broken",
    ]
