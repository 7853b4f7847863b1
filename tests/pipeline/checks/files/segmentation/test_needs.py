"""What ``rarelens validate`` says a study of volumes will need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.checks.files.studies import Study, leave_behind
from rarelens.pipeline.checks.needs import _like, _Past, _without_past
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
    # Of each of two methods, five more cells by what its own took.
    assert "hours: about 15.00 of training for 10 cells to come (tiny 5400 s a cell)" in lines


@pytest.mark.parametrize(
    ("changes", "trained", "hours", "each"),
    [
        # 3600 and 7200 s for 300 steps; six cells of each method.
        ({"train__segmentation__steps": 150}, 0, 6 * 0.5 + 6 * 1.0, 2700),
        ({"datasets__tiny__rare_classes": [1]}, 0, 6 * 1.0 + 6 * 2.0, 5400),
        ({"methods__segmentation__focal": {"objective": "focal", "gamma": 3.0}}, 1, 6 + 10, 5236),
        ({"report__dpi": 99}, 2, 5 + 10, 5400),
    ],
    ids=["steps", "rare classes", "focal", "dpi"],
)
def test_trainings_by_other_parameters_are_to_come_but_tell_their_time(
    study: Study, changes: dict, trained: int, hours: float, each: int
) -> None:
    past("focal", 1, 3600)
    past("cross_entropy", 2, 7200)
    study(**changes)
    text = validate_study()
    assert f"cells: 12, of which {trained} are trained" in text
    left = 12 - trained
    told = f"hours: about {hours:.2f} of training for {left} cells to come (tiny {each} s a cell)"
    assert told in text
    assert "memory: 402 MiB at the peak of past trainings" in text


def test_a_cell_is_judged_by_what_is_most_like_it() -> None:
    """By its dataset before its network and method, and never by the other task's trainings."""
    paces = {
        ("segmentation", "a", "unet", "focal"): 1.0,
        ("segmentation", "b", "unet", "focal"): 10.0,
        ("segmentation", "b", "segresnet", "focal"): 20.0,
        ("classification", "c", "unet", "focal"): 100.0,
    }
    past = {Cell(*key, "1", 0): _Past(True, 1, pace, 1) for key, pace in paces.items()}

    def judged(*key: str) -> list[float]:
        return [each.pace for each in _like(Cell(*key, "1", 3), past)]

    assert judged("segmentation", "a", "unet", "focal") == [1]
    assert judged("segmentation", "a", "segresnet", "focal") == [1]
    assert judged("segmentation", "b", "deepmedic", "focal") == [10, 20]
    assert judged("segmentation", "d", "segresnet", "dice") == [20]
    assert judged("classification", "d", "light_cnn", "bce") == [100]
    del past[Cell("classification", "c", "unet", "focal", "1", 0)]
    assert judged("classification", "c", "unet", "focal") == []


def test_of_a_task_without_past_trainings_it_is_said_so() -> None:
    cell = Cell("classification", "c", "light_cnn", "bce", "1", 0)
    assert _without_past(cell.task, 3) == (
        "hours of 3 cells of classification: known once one of them has been trained"
    )


def test_of_many_classes_what_extraction_takes_is_foretold(study: Study) -> None:
    file = Path("data/raw/tiny/dataset.json")
    description = json.loads(file.read_text())
    for number in range(3, 300):
        description["labels"][str(number)] = f"class {number}"
    file.write_text(json.dumps(description))
    (note,) = [line for line in validate_study().splitlines() if "300 classes" in line]
    # 7 cases of 18 × (20 to 22) × 16 voxels: 1e-5 s × 300² each, and a little.
    assert "stage extract takes about 0.1 min a model" in note
    assert "0.0 GiB" in note
