"""A trained model, and an empty folder to label images in."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarelens.studies.cells import Cell

MODEL = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0).folder("models")


@pytest.fixture
def model(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trained two-channel model; an empty folder, without parameters, as working directory."""
    monkeypatch.chdir(tmp_path)
    return tiny_models / MODEL
