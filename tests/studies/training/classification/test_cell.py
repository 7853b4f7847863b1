from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from folders import digests
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.models.classification.model import load_classifier
from rarelens.studies.training.classification.cell import train_cell
from rarelens.studies.training.classification.job import ClassificationJob
from studies.training.interruption import interrupted

MakeJob = Callable[..., ClassificationJob]
COLUMNS = ["step", "loss", "learning_rate", "validation_average_precision"]


@pytest.fixture(autouse=True)
def here(offline: Path) -> Path:
    """The project folder that all is written to."""
    return offline


def test_model_and_record_are_written(
    toy: PreparedImages, make_classification: MakeJob, here: Path
) -> None:
    job = make_classification(fraction="0.5")
    train_cell(job, toy)
    network, card = load_classifier(Path("models/classification/toy/light_cnn/bce/0.5/0"))
    written = {Path(name).name for name in digests(here / "models")}
    assert written == {"weights.safetensors", "model.json", "history.csv"}
    assert card.training_images == tuple(job.training_cases(toy))
    assert len(card.training_images) == 24
    assert card.validation_images == tuple(f"i{number}" for number in range(48, 60))
    assert (card.steps, card.selected_step, card.adjustment) == (6, 6, None)
    assert (card.channels, card.classes, card.size) == (1, toy.classes, (16, 16))
    assert (card.mean, card.std) == (toy.mean, toy.std)
    history = pd.read_csv(job.cell.folder("models") / "history.csv")
    assert list(history) == COLUMNS
    assert history["step"].tolist() == [2, 4, 6]
    assert history.notna().all(axis=None)
    assert network(torch.from_numpy(toy.images([0, 1])).to(next(network.parameters()))).shape == (
        2,
        3,
    )


def test_the_record_says_how_it_went(toy: PreparedImages, make_classification: MakeJob) -> None:
    job = make_classification()
    train_cell(job, toy)
    record = json.loads(job.cell.folder("records").with_suffix(".json").read_text())
    assert record["identity"] == job.identity(toy)
    assert record["parameters"] == job.as_dict()
    assert record["dataset_digest"] == toy.digest()
    assert record["images_per_second"] > 0
    assert [name for name in toy.table.index if name in json.dumps(record)] == []


def test_an_interrupted_training_ends_in_the_same_files(
    toy: PreparedImages, make_classification: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_classification(select="best")
    train_cell(job, toy)
    first = digests(job.cell.folder("models"))
    shutil.rmtree("models")
    with interrupted(monkeypatch):
        train_cell(job, toy)
    assert not Path("models").exists()
    train_cell(job, toy)
    assert digests(job.cell.folder("models")) == first
    assert not Path("scratch").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 7},
        {"shift": 0.1},
        {"seed": 1},
        {"fraction": "0.5"},
        {"network": {"network": "light_cnn"}},
        {"method": {"objective": "bce", "sampling": "weighted"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_any_parameter_changes_the_identity(
    toy: PreparedImages, make_classification: MakeJob, changes: dict
) -> None:
    assert make_classification().identity(toy) == make_classification().identity(toy)
    assert make_classification(**changes).identity(toy) != make_classification().identity(toy)


def test_initial_weights_belong_to_the_identity(
    toy: PreparedImages, make_classification: MakeJob, here: Path
) -> None:
    job = make_classification(network={"network": "resnet50", "weights": "w.safetensors"})
    found = {job.identity(toy)}
    for content in ("one", "two"):
        (here / "w.safetensors").write_text(content)
        found.add(job.identity(toy))
    assert len(found) == 3


def test_parameters_are_the_same_after_a_way_through_json(make_classification: MakeJob) -> None:
    parameters = make_classification().as_dict()
    assert json.loads(json.dumps(parameters)) == parameters
