"""``rarelens validate``: every problem of the studies at once, and what they will need."""

from __future__ import annotations

from rarelens.errors import RarelensError
from rarelens.pipeline.checks import check_study
from rarelens.pipeline.checks.files.classification import ClassificationFiles
from rarelens.pipeline.checks.files.segmentation import SegmentationFiles
from rarelens.pipeline.checks.needs import needs
from rarelens.pipeline.parameters.whole import read_parameters


def validate_study() -> str:
    """Check parameters and data of all datasets of both studies.

    Returns:
        What the studies will need, for the user to read.

    Raises:
        RarelensError: with every problem found.
    """
    parameters = read_parameters()
    studies = SegmentationFiles(parameters), ClassificationFiles(parameters)
    problems = [*check_study(parameters), *(each for own in studies for each in own.problems)]
    if problems:
        # One that a dataset and the study both have is told once.
        raise RarelensError(*dict.fromkeys(problems))
    notes = [note for own in studies for note in own.notes]
    trainings = [training for own in studies for training in own.trainings()]
    prepared = sum(own.prepared for own in studies)
    return "\n".join(
        ["params.yaml and data: no problem found", *notes, *needs(trainings, prepared)]
    )
