from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from folders import digests
from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.model import SegmenterCard
from rarelens.studies.models.storage import read_card
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.job import SegmentationJob
from studies.training.interruption import interrupted

MakeJob = Callable[..., SegmentationJob]


@pytest.fixture(autouse=True)
def here(offline: Path) -> Path:
    """The project folder that all is written to."""
    return offline


def test_model_and_record_are_written(tiny: PreparedDataset, make_job: MakeJob, here: Path) -> None:
    job = make_job()
    train_cell(job, tiny)
    folder = job.cell.folder("models")
    assert set(digests(folder)) == {"weights.safetensors", "model.json", "history.csv"}
    card = read_card(folder, SegmenterCard)
    assert card.training_cases == tuple(job.training_cases(tiny))
    assert card.validation_cases == tuple(tiny.cases("validation"))
    assert (card.steps, card.gradient_evaluations, card.selected_step) == (6, 6, 6)
    assert (card.channels, card.classes) == (("T1", "T2"), ("background", "left", "right"))
    assert card.rare_classes == (1, 2)
    history = pd.read_csv(folder / "history.csv")
    assert list(history) == ["step", "loss", "learning_rate", "validation_dice"]
    assert history["step"].tolist() == [2, 4, 6]
    assert history.notna().all(axis=None)
    assert sorted(path.name for path in here.iterdir()) == ["models", "records"]


def test_the_record_says_how_it_went(tiny: PreparedDataset, make_job: MakeJob) -> None:
    job = make_job()
    train_cell(job, tiny)
    record = json.loads(job.cell.folder("records").with_suffix(".json").read_text())
    assert set(record) - {"gpu", "peak_gpu_memory_mib"} == {
        "identity", "device", "steps", "gradient_evaluations", "parameters", "git_commit",
        "dataset_digest", "seconds", "steps_per_second", "patches_per_second",
        "peak_memory_mib", "environment",
    }  # fmt: skip
    assert record["identity"] == job.identity(tiny)
    assert record["parameters"]["settings"]["steps"] == record["steps"] == 6
    assert record["git_commit"] == "unknown"
    ids = [case for case in tiny.table.index if case in json.dumps(record)]
    assert ids == []


def test_the_same_job_gives_the_same_files(
    tiny: PreparedDataset, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(select="best")
    train_cell(job, tiny)
    first = digests(job.cell.folder("models"))
    shutil.rmtree("models")
    with interrupted(monkeypatch):
        train_cell(job, tiny)
    assert not Path("models").exists()
    train_cell(job, tiny)
    assert digests(job.cell.folder("models")) == first
    assert not Path("scratch").exists()


def test_a_changed_parameter_resumes_nothing(
    tiny: PreparedDataset, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = make_job(learning_rate=0.02)
    train_cell(changed, tiny)
    unbroken = digests(changed.cell.folder("models"))
    with interrupted(monkeypatch):
        train_cell(make_job(), tiny)
    scratch = changed.cell.folder("scratch")
    assert [path.name for path in scratch.iterdir()] == [make_job().identity(tiny)]
    with interrupted(monkeypatch):
        train_cell(changed, tiny)
    assert [path.name for path in scratch.iterdir()] == [changed.identity(tiny)]
    train_cell(changed, tiny)
    assert digests(changed.cell.folder("models")) == unbroken


def test_a_loss_that_is_not_finite_writes_nothing(
    tiny: PreparedDataset, make_job: MakeJob, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of data too large to be held against their digests.
    monkeypatch.setattr("rarelens.studies.data.prepared.CHECKED", 0)
    shutil.copytree(tiny.folder, here / "data")
    for case in make_job().training_cases(tiny):
        np.save(here / f"data/images/{case}.npy", np.full_like(tiny.image(case), np.nan))
    with pytest.raises(RarelensError, match=r"not finite at step 1 \(cases tiny_"):
        train_cell(make_job(), PreparedDataset(here / "data"))
    assert [path.name for path in here.iterdir()] == ["data"]


def test_a_link_at_the_output_is_refused(
    tiny: PreparedDataset, make_job: MakeJob, here: Path
) -> None:
    folder = make_job().cell.folder("models")
    folder.parent.mkdir(parents=True)
    (here / "elsewhere").mkdir()
    folder.symlink_to(here / "elsewhere")
    with pytest.raises(RarelensError, match="a symbolic link stands"):
        train_cell(make_job(), tiny)
    assert list((here / "elsewhere").iterdir()) == []
