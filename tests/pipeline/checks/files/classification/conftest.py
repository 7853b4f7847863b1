"""A project folder with images."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.checks.files.classification.smears import RAW, write_images
from pipeline.checks.files.studies import Study, repository_parameters, written


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A project folder with a dozen images; call it to change parameters by dotted path."""
    monkeypatch.chdir(tmp_path)
    values = repository_parameters()
    values["study"] = {
        "simulated": [],
        "segmentation": values["study"]["segmentation"] | {"datasets": []},
        "classification": {
            "datasets": ["smears"],
            "networks": ["light_cnn"],
            "methods": ["bce", "weighted_bce"],
            "baseline": "bce",
            "adjusted": ["bce"],
            "adjustments": ["classifier_retraining"],
            "fractions": [0.5, 1],
            "seeds": [0, 1, 2],
        },
    }
    values["datasets"] = {"smears": values["datasets"]["blood_cells"]}
    values["datasets"]["smears"]["preprocess"]["image_size"] = [32, 32]
    values["datasets"]["smears"]["split"] |= {"test": 0.25, "validation": 0.25}
    write_images(RAW)
    return written(values)
