"""What a study needs of its images: validation images, training images, regions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.checks.studies import classification as parameters
from rarelens.errors import RarelensError
from rarelens.pipeline.checks import check_prepared, check_study

AT = "study__classification__"
TASK = "classification"
WITHOUT = {"datasets__blood_cells__split__validation": 0}
GIVE = "or give it some by datasets.blood_cells.split"
BEST = (
    "params.yaml: train.classification.select: best needs validation cases, and blood_cells has "
    f"none; set last, {GIVE}"
)
PATIENCE = (
    "params.yaml: train.classification.patience: 3 needs validation cases, and blood_cells has "
    f"none; set null, {GIVE}"
)
UNFITTED = (
    "params.yaml: datasets.blood_cells.split.validation: thresholds and calibration are fitted on "
    "validation images, and there are none; raise it"
)


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({}, [UNFITTED]),
        ({"train__classification__select": "best"}, [BEST, UNFITTED]),
        ({"train__classification__patience": 3}, [PATIENCE, UNFITTED]),
    ],
    ids=["thresholds", "best", "patience"],
)
def test_a_study_without_validation_images_is_refused(changes, sentences):
    own = {"datasets__blood_cells__split__official": False}
    assert check_study(parameters(**changes, **own)) == []
    assert check_study(parameters(**changes, **own, **WITHOUT)) == sentences
    # Official lists, or a split file, may name validation images: the data decides.
    assert check_study(parameters(**changes, **WITHOUT)) == []
    file = {"datasets__blood_cells__split__file": "split.csv"}
    assert check_study(parameters(**changes, **own, **WITHOUT, **file)) == []


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Path]:
    """Writes ``prepared/blood_cells`` of so many pool images, each its own group."""

    def make(pool: int = 8, others: str = "test validation", concepts: int = 1) -> Path:
        folder = tmp_path / "blood_cells"
        folder.mkdir()
        splits = ["pool"] * pool + others.split()
        names = [f"i{number:02d}" for number in range(len(splits))]
        labels = [[float(number % 2), float(number % 3 == 0)] for number in range(len(splits))]
        table = {"image": names, "group": names, "split": splits, "labels": labels}
        pd.DataFrame(table).to_parquet(folder / "images.parquet", index=False)
        np.save(folder / "images.npy", np.zeros((len(splits), 1, 8, 8), np.uint8))
        np.save(folder / "concepts.npy", np.ones((concepts, 8, 8), bool))
        for name in ("boxes", "concepts"):
            regions = pd.DataFrame({"row": range(concepts), "class": [0] * concepts})
            regions.to_parquet(folder / f"{name}.parquet", index=False)
        description = {"name": "blood_cells", "classes": ["a", "b"], "channels": 1, "size": [8, 8]}
        (folder / "dataset.json").write_text(json.dumps(description | {"mean": [0], "std": [1]}))
        return tmp_path

    return make


def test_prepared_images_that_suffice_have_no_problem(prepared):
    changes = {f"{AT}fractions": [1, 0.5, 0.125], "train__classification__select": "best"}
    assert check_prepared(parameters(**changes), prepared(), TASK) == []


def test_a_fraction_that_leaves_no_image_is_told_once(prepared):
    changes = {f"{AT}fractions": [1, 0.05], f"{AT}seeds": [0, 1, 2]}
    (sentence,) = check_prepared(parameters(**changes), prepared(), TASK)
    start = "blood_cells: fraction 0.05 of a pool of 8 images leaves no training image"
    assert sentence.startswith(start)
    assert "raise the fraction" in sentence


def test_prepared_images_without_validation_images_are_told(prepared):
    changes = {"train__classification__select": "best", "train__classification__patience": 3}
    told = check_prepared(parameters(**changes), prepared(others="test"), TASK)
    assert told == [BEST, PATIENCE, UNFITTED]


def test_prepared_images_without_any_region_are_told(prepared):
    assert check_prepared(parameters(), prepared(concepts=0), TASK) == [
        "blood_cells: no image has a box or mask, so there is nothing to look for inside the "
        "networks; add some to the dataset"
    ]


def test_a_dataset_that_is_not_prepared_is_told(tmp_path):
    with pytest.raises(RarelensError, match=r"blood_cells: no prepared dataset; run"):
        check_prepared(parameters(), tmp_path, TASK)


def test_a_study_that_is_switched_off_needs_no_prepared_images(tmp_path):
    changes = {f"{AT}datasets": [], "study__segmentation__datasets": ["hippocampus"]}
    assert check_prepared(parameters(**changes), tmp_path, TASK) == []
