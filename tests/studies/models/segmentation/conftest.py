"""A trained model, and a project folder to label images in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rarelens.studies.cells import Cell
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation

MODEL = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0).folder("models")
PARAMETERS = """
extract:
  segmentation: {window_overlap: 0.25, window_batch: 2, bin_width: 0.0625, joint_bin_width: 0.5,
    calibration_bins: 15, sample_voxels: 20, panels: 1, units_patches: 0, full_logits: false,
    threads: 1, seed: 0}
"""


@pytest.fixture
def model(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trained two-channel model; a project folder with parameters as working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    return tiny_models / MODEL


@pytest.fixture
def settings(extraction: Callable[..., ExtractSegmentation]) -> ExtractSegmentation:
    return extraction()
