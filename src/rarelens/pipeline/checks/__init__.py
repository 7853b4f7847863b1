"""Check the studies before anything runs.

What parameters alone show and what prepared data show is checked by stage ``cells``; what files on
disk show, and what the studies will need, only by ``rarelens validate`` (`validate`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rarelens.pipeline.checks.classification import ClassificationChecks
from rarelens.pipeline.checks.segmentation import SegmentationChecks
from rarelens.pipeline.checks.study import StudyChecks, check_simulated, problems_of
from rarelens.pipeline.lineage.entries import Entries, check_exports
from rarelens.pipeline.parameters.whole import Parameters

_TASKS: dict[str, type[StudyChecks[Any]]] = {
    "segmentation": SegmentationChecks,
    "classification": ClassificationChecks,
}


def check_study(parameters: Parameters) -> list[str]:
    """Problems of both studies that their parameters alone show."""
    own = parameters
    entries = Entries(own.datasets, own.networks, own.methods, own.adjustments)
    misnamed = problems_of(partial(check_exports, entries))
    if misnamed:  # Nothing can be built of a file that does not hold what it names.
        return [*misnamed]
    problems = [*check_simulated(parameters)]
    for checks in _TASKS.values():
        problems += checks(parameters).check_parameters()
    return list(dict.fromkeys(problems))


def check_prepared(parameters: Parameters, prepared: Path, task: str) -> list[str]:
    """Problems of a task's study that its cases, in the folder ``prepared``, show."""
    return list(dict.fromkeys(_TASKS[task](parameters).check_prepared(prepared)))
