"""``rarelens validate`` on volumes that are simulated, or still to be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.checks.files.studies import Study, as_simulated, problems, repository_parameters
from rarelens.pipeline.checks.validate import validate_study


def test_a_simulated_dataset_may_not_be_there_yet(study: Study) -> None:
    simulate = repository_parameters()["datasets"]["embedded"]["simulate"]
    study(datasets__tiny__simulate=simulate, study__simulated=["tiny"])
    shutil.rmtree("data/raw/tiny")
    text = validate_study()
    assert "tiny: not simulated yet; `dvc repro` does so first" in text
    assert "cells: 12" in text
    study(datasets__tiny__split__pool=400)
    (found,) = problems()
    assert "split: there are 44 cases, but 2 test + 1 validation + 400 pool" in found


@pytest.fixture
def simulated(study: Study, tmp_path: Path) -> Study:
    """A cohort of 7 on disk by parameters of 7; call it to change these."""
    values = repository_parameters()["datasets"]["embedded"]["simulate"]
    study(datasets__tiny__simulate=values | {"subjects": 7}, study__simulated=["tiny"])
    as_simulated(Path("data/raw/tiny"))
    return study


def test_an_enlarged_cohort_is_checked_as_it_will_be(simulated: Study) -> None:
    assert "simulate" not in validate_study()
    # The files of the old cohort are replaced, whatever is wrong with them.
    Path("data/raw/tiny/simulated/imagesTr/tiny_002.nii.gz").write_bytes(b"1234")
    simulated(datasets__tiny__simulate__subjects=30, datasets__tiny__split__pool=27)
    text = validate_study()
    assert "tiny: 7 subjects on disk, 30 wanted; `dvc repro` simulates them anew first" in text
    simulated(datasets__tiny__split__pool=28)
    (found,) = problems()
    assert "split: there are 30 cases, but 2 test + 1 validation + 28 pool = 31" in found


def test_a_cohort_of_the_right_size_is_read(simulated: Study) -> None:
    Path("data/raw/tiny/simulated/imagesTr/tiny_002.nii.gz").write_bytes(b"1234")
    (found,) = problems()
    assert "tiny_002.nii.gz: not readable as NIfTI" in found


@pytest.mark.parametrize("there", [True, False])
def test_settings_of_a_cohort_are_checked_before_it_is_simulated(
    simulated: Study, there: bool
) -> None:
    if not there:
        shutil.rmtree("data/raw/tiny/simulated")
    simulated(
        datasets__tiny__rare_classes=[2],
        datasets__tiny__preprocess__intensity=[{"method": "zscore"}] * 2,
    )
    found = problems()
    assert len(found) == 2
    assert "preprocess.intensity: 2 entries for images of 1 channels" in found[0]
    assert "rare_classes: [2]: there is no class 2; give each by the name or the " in found[1]
    assert "value that it has here: 0 background, 1 lesion" in found[1]


def test_data_of_the_users_where_a_cohort_would_be_simulated(simulated: Study) -> None:
    Path("data/raw/tiny/precious.txt").write_text("mine")
    assert problems() == [
        "data/raw/tiny: data of your own (precious.txt) stand where a simulated dataset would be "
        "written; move them away, or name another dataset in study.simulated"
    ]
