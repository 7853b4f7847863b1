"""What a study needs of its volumes: validation cases, training cases, rare classes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from pipeline.checks.studies import FITTED
from pipeline.checks.studies import segmentation as parameters
from rarelens.errors import RarelensError
from rarelens.pipeline.checks import check_prepared, check_study

TASK = "segmentation"
WITHOUT = {"datasets__embedded__split__validation": 0}
GIVE = "or give it some by datasets.embedded.split"
BEST = (
    "params.yaml: train.segmentation.select: best needs validation cases, and embedded has none; "
    f"set last, {GIVE}"
)
PATIENCE = (
    "params.yaml: train.segmentation.patience: 3 needs validation cases, and embedded has none; "
    f"set null, {GIVE}"
)
UNFITTED = (
    "params.yaml: adjustments.segmentation.threshold: a threshold is fitted on validation cases, "
    "and there are none; give embedded some by datasets.embedded.split"
)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train__segmentation__select": "best"}, BEST),
        ({"train__segmentation__patience": 3}, PATIENCE),
        (FITTED, UNFITTED),
    ],
    ids=["best", "patience", "threshold"],
)
def test_what_needs_validation_cases_is_refused_without_any(changes, sentence):
    assert check_study(parameters(**changes)) == []
    assert check_study(parameters(**changes, **WITHOUT)) == [sentence]
    # A split file may name validation cases: the data decides.
    file = {"datasets__embedded__split__file": "split.csv"}
    assert check_study(parameters(**changes, **WITHOUT, **file)) == []


def test_without_validation_cases_the_rest_is_fine():
    changes = FITTED | {"study__segmentation__adjustments": ["logit_adjustment"]}
    assert check_study(parameters(**changes, **WITHOUT)) == []


@pytest.fixture
def prepared(tmp_path):
    """Writes ``prepared/embedded`` with a pool of so many cases and voxels per class."""

    def make(pool: int = 8, voxels: tuple[int, ...] = (980, 20), others: str = "test") -> Path:
        folder = tmp_path / "embedded"
        folder.mkdir()
        splits = ["pool"] * pool + others.split()
        pd.DataFrame(
            {
                "case": [f"s{n}" for n in range(len(splits))],
                "group": [f"s{n}" for n in range(len(splits))],
                "split": splits,
                "spacing": [[1.0, 1.0, 1.0]] * len(splits),
                "voxels": [list(voxels)] * len(splits),
            }
        ).to_parquet(folder / "cases.parquet")
        description = {"name": "embedded", "channels": ["a"], "classes": ["b", "c"]}
        (folder / "dataset.json").write_text(json.dumps(description | {"spacing": None}))
        return tmp_path

    return make


def test_prepared_cases_that_suffice_have_no_problem(prepared):
    changes = {"study__segmentation__fractions": [1, 0.5, 0.125]}
    assert check_prepared(parameters(**changes), prepared(), TASK) == []


def test_a_fraction_that_leaves_no_case_is_told_once(prepared):
    changes = {
        "study__segmentation__fractions": [1, 0.05],
        "study__segmentation__seeds": [0, 1, 2],
    }
    (sentence,) = check_prepared(parameters(**changes), prepared(), TASK)
    assert "fraction 0.05 of a pool of 8 cases leaves no training case" in sentence
    assert "raise the fraction" in sentence


def test_a_dataset_without_a_rare_class_is_told_once(prepared):
    changes = {"study__segmentation__seeds": [0, 1]}
    (sentence,) = check_prepared(parameters(**changes), prepared(voxels=(600, 400)), TASK)
    assert "no foreground class has a share of voxels below rare_threshold 0.05" in sentence
    assert "shares: 0.4" in sentence


def test_a_named_rare_class_must_exist(prepared):
    folder = prepared()
    (sentence,) = check_prepared(parameters(datasets__embedded__rare_classes=[1, 2]), folder, TASK)
    assert sentence.startswith("params.yaml: datasets.embedded.rare_classes: [1, 2]: ")
    assert "0 b, 1 c" in sentence
    assert check_prepared(parameters(datasets__embedded__rare_classes=[1]), folder, TASK) == []


def test_prepared_cases_without_validation_cases_are_told(prepared):
    changes = {"train__segmentation__select": "best", "train__segmentation__patience": 3} | FITTED
    study = parameters(**changes, datasets__embedded__split__file="split.csv")
    folder = prepared()
    assert check_prepared(study, folder, TASK) == [BEST, PATIENCE, UNFITTED]


def test_prepared_validation_cases_suffice(prepared):
    changes = {"train__segmentation__select": "best", "train__segmentation__patience": 3} | FITTED
    assert check_prepared(parameters(**changes), prepared(others="test validation"), TASK) == []


def test_a_dataset_that_is_not_prepared_is_told(tmp_path):
    with pytest.raises(RarelensError, match=r"embedded: no prepared dataset; run"):
        check_prepared(parameters(), tmp_path, TASK)
