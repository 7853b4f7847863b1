"""Logits of a trained model, and what post-hoc controls add to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.extraction.segmentation.logits import CaseLogits
from rarelens.studies.files import read_json, write_json
from rarelens.studies.settings.methods import Adjustment
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation

CELL = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0)
Settings = Callable[..., ExtractSegmentation]


@pytest.fixture
def model(tiny_models: Path, tmp_path: Path) -> Path:
    """The trained model, as if there had been no validation case."""
    shutil.copytree(tiny_models / CELL.folder("models"), tmp_path / "model")
    card = tmp_path / "model/model.json"
    write_json(card, read_json(card) | {"validation_cases": []})
    return tmp_path / "model"


def test_logit_adjustment_needs_no_validation_case(
    model: Path, tiny: PreparedDataset, extraction: Settings
) -> None:
    own = Adjustment(adjustment="logit_adjustment", tau=2.0)
    plain = CaseLogits(model, tiny, extraction(), None)
    adjusted = CaseLogits(model, tiny, extraction(), own)
    cases = list(plain.card.training_cases)
    counts = np.stack(tiny.table.loc[cases, "voxels"].tolist()).sum(0)
    assert adjusted.bias == pytest.approx(-2 * np.log(counts / counts.sum()), rel=1e-6)
    difference = adjusted.of(cases[0]) - plain.of(cases[0])
    assert difference[:, 3, 4, 5] == pytest.approx(adjusted.bias, abs=1e-4)


def test_threshold_without_validation_cases_is_one_sentence(
    model: Path, tiny: PreparedDataset, extraction: Settings
) -> None:
    with pytest.raises(RarelensError, match="a threshold is fitted on validation cases") as error:
        CaseLogits(model, tiny, extraction(), Adjustment(adjustment="threshold"))
    (sentence,) = error.value.problems
    assert sentence.endswith("give tiny some by datasets.tiny.split")


def test_threshold_is_fitted_on_the_validation_cases(
    tiny_models: Path, tiny: PreparedDataset, extraction: Settings
) -> None:
    own = Adjustment(adjustment="threshold", largest=4.0, step=2.0)
    source = CaseLogits(tiny_models / CELL.folder("models"), tiny, extraction(), own)
    assert source.bias[0] == 0
    assert source.bias[1] == source.bias[2]
    assert source.bias[1] in (-4, -2, 0, 2, 4)
