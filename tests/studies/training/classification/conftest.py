"""A small prepared dataset of images, and jobs on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.settings.classification.datasets import ImagePreprocess
from rarelens.studies.settings.classification.stages import TrainClassification
from rarelens.studies.settings.methods import ClassificationMethod, Network
from rarelens.studies.training.classification.job import ClassificationJob

NUMBER, SIDE = 72, 16


@pytest.fixture(scope="session")
def write_images() -> Callable[..., PreparedImages]:
    """Writes a prepared dataset into an existing folder, as the preparation does."""
    return _write


def _write(folder: Path, labels: np.ndarray | None = None) -> PreparedImages:
    """Class 0 is a bright image, 1 a bright left half, 2 (rare) a bright middle."""
    rng = np.random.default_rng([11])
    names = [f"i{number:02d}" for number in range(NUMBER)]
    shown = rng.random((NUMBER, 3)) < (0.5, 0.3, 0.15)
    pixels = rng.integers(60, 90, (NUMBER, 1, SIDE, SIDE))
    pixels += 50 * shown[:, 0, None, None, None]
    pixels[..., :8] += 60 * shown[:, 1, None, None, None]
    pixels[..., 6:10, 6:10] += 50 * shown[:, 2, None, None, None]
    if labels is None:
        labels = shown.astype(np.float64)
        labels[rng.random(labels.shape) < 0.05] = np.nan
    sides = ["pool"] * 48 + ["validation"] * 12 + ["test"] * 12
    table = pd.DataFrame(
        {
            "image": names,
            "group": [f"g{number // 2:02d}" for number in range(NUMBER)],
            "split": sides,
            "labels": labels.tolist(),
        }
    )
    table.to_parquet(folder / "images.parquet", index=False)
    np.save(folder / "images.npy", pixels.astype(np.uint8))
    np.save(folder / "concepts.npy", np.zeros((0, SIDE, SIDE), bool))
    for name in ("boxes", "concepts"):
        pd.DataFrame({"row": [], "class": []}).to_parquet(folder / f"{name}.parquet", index=False)
    description = {
        "name": "toy",
        "classes": ["bright", "left", "middle"],
        "channels": 1,
        "size": [SIDE, SIDE],
        "dtype": "uint8",
        "mean": [0.35],
        "std": [0.1],
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    return PreparedImages(folder)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> PreparedImages:
    """72 grey images of 16 × 16 in groups of two: 48 pool, 12 validation, 12 test."""
    return _write(tmp_path_factory.mktemp("toy"))


SETTINGS = {
    "steps": 6,
    "epoch_steps": 2,
    "batch_size": 8,
    "flip_horizontal": False,
    "flip_vertical": True,
    "shift": 0.05,
    "intensity": 0.1,
    "optimiser": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "gradient_clip": None,
    "precision": "no",
    "threads": 1,
    "patience": None,
    "select": "last",
    "checkpoint_epochs": 1,
}
PREPROCESS = ImagePreprocess(
    image_size=(SIDE, SIDE),
    resize="stretch",
    channels="grey",
    intensity="full_range",
    dtype="uint8",
    uncertain="ignore",
    classes=None,
)


@pytest.fixture(scope="session")
def make_classification() -> Callable[..., ClassificationJob]:
    """Makes a job of 6 steps in epochs of 2; change what a test is about.

    ``seed``, ``fraction``, ``method`` (a dict) and ``network`` (a dict); all further keys are
    settings of the training.
    """

    def make(**changes: Any) -> ClassificationJob:
        method = ClassificationMethod(**changes.pop("method", {"objective": "bce"}))
        own = {"network": "light_cnn", "channels": [8, 8, 8, 16], "convolutions": [1, 1, 1, 1]}
        network = Network(**changes.pop("network", own))
        names = {key: changes.pop(key, plain) for key, plain in (("fraction", "1"), ("seed", 0))}
        return ClassificationJob(
            cell=Cell("classification", "toy", "light_cnn", method.objective, **names),
            network=network,
            method=method,
            settings=TrainClassification(**(SETTINGS | changes)),
            preprocess=PREPROCESS,
        )

    return make
