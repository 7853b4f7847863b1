"""Check the studies before anything runs: names, options, sizes, cases."""

from __future__ import annotations

from pathlib import Path

from rarelens.pipeline.checks.common import simulated
from rarelens.pipeline.parameters.whole import Parameters


def check_study(parameters: Parameters) -> list[str]:
    """Problems of both studies that their parameters alone show."""
    from rarelens.pipeline.checks import classification, segmentation

    problems = [
        *simulated(parameters),
        *segmentation.check_parameters(parameters),
        *classification.check_parameters(parameters),
    ]
    return list(dict.fromkeys(problems))


def check_prepared(parameters: Parameters, prepared: Path, task: str) -> list[str]:
    """Problems of a task's study that its prepared cases show.

    Args:
        parameters: the whole of them.
        prepared: the folder of prepared datasets.
        task: segmentation or classification.
    """
    from rarelens.pipeline.checks import classification, segmentation

    module = {"segmentation": segmentation, "classification": classification}[task]
    return list(dict.fromkeys(module.check_prepared(parameters, prepared)))
