from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.models.classification.model import load_classifier
from rarelens.studies.settings.methods import Adjustment
from rarelens.studies.training.classification.cell import train_cell
from rarelens.studies.training.classification.job import ClassificationJob
from rarelens.studies.training.classification.retraining import retrain_cell

SETTINGS = Adjustment(adjustment="classifier_retraining", steps=40, batch_size=16, threads=1)


@pytest.fixture
def cell(
    toy: PreparedImages,
    make_classification: Callable[..., ClassificationJob],
    offline: Path,
) -> Cell:
    """The retrained cell of a trained one, still to be made."""
    job = make_classification()
    train_cell(job, toy)
    return replace(job.cell, method="bce+classifier_retraining")


def test_the_head_alone_is_new(toy: PreparedImages, cell: Cell) -> None:
    retrain_cell(cell, SETTINGS, toy)
    before, after = (
        load_file(each.folder("models") / "weights.safetensors") for each in (cell.base, cell)
    )
    assert list(before) == list(after)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"head.weight", "head.bias"}


def test_the_card_is_the_bases_with_the_adjustment(toy: PreparedImages, cell: Cell) -> None:
    retrain_cell(cell, SETTINGS, toy)
    (_, before), (_, after) = (load_classifier(c.folder("models")) for c in (cell.base, cell))
    assert before.adjustment is None
    weights = cell.folder("models") / "weights.safetensors"
    written = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert after.weights_sha256 == written != before.weights_sha256
    update = {"adjustment": SETTINGS, "weights_sha256": written}
    assert after == before.model_copy(update=update)


def test_history_and_record_are_written(toy: PreparedImages, cell: Cell) -> None:
    retrain_cell(cell, SETTINGS, toy)
    history = pd.read_csv(cell.folder("models") / "history.csv")
    assert history["step"].tolist() == list(range(4, 41, 4))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    record = json.loads(cell.folder("records").with_suffix(".json").read_text())
    base = json.loads(cell.base.folder("records").with_suffix(".json").read_text())
    assert set(record) == set(base)
    assert record["parameters"]["adjustment"]["steps"] == record["steps"] == 40
    assert record["identity"] != base["identity"]


def test_the_same_retraining_gives_the_same_files(toy: PreparedImages, cell: Cell) -> None:
    digests = []
    for _ in range(2):
        retrain_cell(cell, SETTINGS, toy)
        files = sorted(cell.folder("models").iterdir())
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1]


def test_the_base_has_to_be_trained_first(toy: PreparedImages, cell: Cell) -> None:
    with pytest.raises(RarelensError, match="no model here"):
        retrain_cell(replace(cell, seed=1), SETTINGS, toy)


def test_other_images_are_refused(toy: PreparedImages, cell: Cell) -> None:
    other = PreparedImages(toy.folder)
    other.table = other.table.drop(index=other.table.index[0])
    with pytest.raises(RarelensError, match="trained on other images or classes than those of toy"):
        retrain_cell(cell, SETTINGS, other)
    assert not cell.folder("models").exists()
