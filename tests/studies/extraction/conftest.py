"""One extract that several modules look into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rarelens.studies.cells import Cell
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.extraction.segmentation.extract import extract
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation

CELL = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0)
Settings = Callable[..., ExtractSegmentation]


@pytest.fixture(scope="session")
def model(tiny_models: Path) -> Path:
    """The trained cell of the tiny dataset."""
    return tiny_models / CELL.folder("models")


@pytest.fixture(scope="session")
def extracted(
    model: Path,
    tiny: PreparedDataset,
    extraction: Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Its extract, with full logits; do not change it."""
    target = tmp_path_factory.mktemp("extract")
    extract(model, tiny, target, extraction())
    return target
