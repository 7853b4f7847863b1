"""What ``rarelens validate`` says a study of images will need."""

from __future__ import annotations

import pytest

from pipeline.checks.files.studies import Study, leave_behind
from rarelens.pipeline.checks.validate import validate_study
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.cells import Cell
from rarelens.studies.training.classification.job import ClassificationJob


def past(method: str, seed: int, seconds: float) -> None:
    """Leave behind what a trained cell does."""
    parameters = read_parameters()
    job = ClassificationJob(
        cell=Cell("classification", "smears", "light_cnn", method, "1", seed),
        network=parameters.networks["light_cnn"],
        method=parameters.methods.classification[method],
        settings=parameters.train.classification,
        preprocess=parameters.datasets["smears"].preprocess,
    )
    leave_behind(job, seconds)


def test_a_study_without_problems(study: Study) -> None:
    lines = validate_study().splitlines()
    assert lines[0] == "params.yaml and data: no problem found"
    # 2 methods × 2 fractions × 3 seeds; those with a new head train no network.
    assert "cells: 12, of which 0 are trained" in lines
    assert "memory, hours, disk per cell: known once a cell has been trained" in lines


@pytest.mark.parametrize(("channels", "depth"), [("rgb", 3), ("grey", 1)])
def test_disk_is_told_from_size_channels_and_regions(
    study: Study, channels: str, depth: int
) -> None:
    study(
        datasets__smears__preprocess__image_size=[2048, 1024],
        datasets__smears__preprocess__channels=channels,
        datasets__smears__preprocess__dtype="uint16",
    )
    # Twelve images of two bytes a value, and twelve masks of one.
    expected = 2048 * 1024 * 12 * (depth * 2 + 1) / 2**30
    assert f"disk: prepared data about {expected:.2f} GiB" in validate_study()


def test_past_trainings_tell_hours_and_memory(study: Study) -> None:
    past("weighted_bce", 1, 3600)
    past("bce", 2, 7200)
    lines = validate_study().splitlines()
    assert "cells: 12, of which 2 are trained" in lines
    assert "disk: about 1.0 MiB a cell, 0.01 GiB in all" in lines
    assert "memory: 402 MiB at the peak of past trainings" in lines
    # Of each of two methods, five more cells by what its own took.
    assert "hours: about 15.00 of training for 10 cells to come (smears 5400 s a cell)" in lines


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({"train__classification__steps": 7}, 0),
        ({"datasets__smears__preprocess__image_size": [48, 48]}, 0),
        ({"methods__classification__weighted_bce__source": "batch"}, 1),
        ({"analyse__classification__quantile": 0.1}, 2),
    ],
    ids=["steps", "image_size", "source", "quantile"],
)
def test_trainings_by_other_parameters_are_to_come(
    study: Study, changes: dict, trained: int
) -> None:
    past("weighted_bce", 1, 3600)
    past("bce", 2, 7200)
    study(**changes)
    assert f"cells: 12, of which {trained} are trained" in validate_study()
