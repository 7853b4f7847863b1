"""``rarelens validate``: every problem of the studies at once, and what they will need."""

from __future__ import annotations

from rarelens.errors import RarelensError
from rarelens.pipeline.checks import check_study
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.pipeline.validation import classification, segmentation
from rarelens.pipeline.validation.needs import needs


def validate_study() -> str:
    """Check parameters and data of all datasets of both studies.

    Returns:
        What the studies will need, for the user to read.

    Raises:
        RarelensError: with every problem found.
    """
    parameters = read_parameters()
    looks = [segmentation.look(parameters), classification.look(parameters)]
    problems = [*check_study(parameters), *(each for look in looks for each in look.problems)]
    if problems:
        # One that a dataset and the study both have is told once.
        raise RarelensError(*dict.fromkeys(problems))
    notes = [note for look in looks for note in look.notes]
    return "\n".join(["params.yaml and data: no problem found", *notes, *needs(looks)])
