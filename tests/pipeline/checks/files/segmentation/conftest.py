"""A project folder with volumes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.checks.files.studies import Study, repository_parameters, written


@pytest.fixture
def study(tiny_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A project folder with the tiny dataset; call it to change parameters by dotted path."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_raw, tmp_path / "data/raw/tiny")
    values = repository_parameters()
    values["study"] = {
        "simulated": [],
        "segmentation": {
            "datasets": ["tiny"],
            "networks": ["unet"],
            "methods": ["cross_entropy", "focal"],
            "baseline": "cross_entropy",
            "adjusted": [],
            "adjustments": [],
            "fractions": [0.5, 1],
            "seeds": [0, 1, 2],
        },
        "classification": values["study"]["classification"] | {"datasets": []},
    }
    values["datasets"] = {"tiny": values["datasets"]["embedded"]}
    del values["datasets"]["tiny"]["simulate"]
    values["datasets"]["tiny"]["split"] |= {"test": 2, "validation": 1, "pool": 4}
    values["networks"]["unet"]["channels"] = [4, 8]
    values["layers"]["unet"]["units"] = ["model.0"]
    return written(values)
