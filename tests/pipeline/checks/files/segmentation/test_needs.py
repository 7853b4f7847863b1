"""What ``rarelens validate`` says a study of volumes will need."""

from __future__ import annotations

import pytest

from pipeline.checks.files.studies import Study, leave_behind
from rarelens.pipeline.checks.validate import validate_study
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.cells import Cell
from rarelens.studies.training.segmentation.job import SegmentationJob


def past(method: str, seed: int, seconds: float) -> None:
    """Leave behind what a trained cell does."""
    parameters = read_parameters()
    data = parameters.datasets["tiny"]
    job = SegmentationJob(
        cell=Cell("segmentation", "tiny", "unet", method, "1", seed),
        network=parameters.networks["unet"],
        method=parameters.methods.segmentation[method],
        settings=parameters.train.segmentation,
        preprocess=data.preprocess,
        patch_size=data.patch_size,
        rare_classes=data.rare_classes,
        rare_threshold=data.rare_threshold,
    )
    leave_behind(job, seconds)


def test_a_study_without_problems(study: Study) -> None:
    lines = validate_study().splitlines()
    assert lines[0] == "params.yaml and data: no problem found"
    assert "cells: 12, of which 0 are trained" in lines
    assert any(line.startswith("disk: prepared data about 0.00 GiB") for line in lines)
    assert "memory, hours, disk per cell: known once a cell has been trained" in lines


def test_disk_is_told_from_the_headers(study: Study) -> None:
    """Twelve thousand voxels a case at 0.1 of the spacing: a factor of 3000."""
    study(datasets__tiny__preprocess__spacing=[0.1, 0.1, 0.1])
    voxels = sum(18 * (20 + n % 3) * 16 for n in range(7)) * (1.0 * 1.5 * 2.0) / 0.1**3
    expected = voxels * (2 * 2 + 1) / 2**30  # Two channels in float16, a label in uint8.
    assert f"disk: prepared data about {expected:.2f} GiB" in validate_study()


def test_past_trainings_tell_hours_and_memory(study: Study) -> None:
    past("focal", 1, 3600)
    past("focal", 2, 7200)
    lines = validate_study().splitlines()
    assert "cells: 12, of which 2 are trained" in lines
    assert "disk: about 1.0 MiB a cell, 0.01 GiB in all" in lines
    assert "memory: 402 MiB at the peak of past trainings" in lines
    assert "hours: about 15.00 of training for 10 cells to come (5400 s each so far)" in lines


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({"train__segmentation__steps": 7}, 0),
        ({"datasets__tiny__rare_classes": [1]}, 0),
        ({"methods__segmentation__focal": {"objective": "focal", "gamma": 3.0}}, 1),
        ({"report__dpi": 99}, 2),
    ],
    ids=["steps", "rare classes", "focal", "dpi"],
)
def test_trainings_by_other_parameters_are_to_come_but_tell_their_time(
    study: Study, changes: dict, trained: int
) -> None:
    past("focal", 1, 3600)
    past("cross_entropy", 2, 7200)
    study(**changes)
    text = validate_study()
    assert f"cells: 12, of which {trained} are trained" in text
    left = 12 - trained
    assert f"hours: about {1.5 * left:.2f} of training for {left} cells to come (5400 s" in text
    assert "memory: 402 MiB at the peak of past trainings" in text
