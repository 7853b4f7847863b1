"""The one place where intervals and tests are chosen, by what the values of a measure are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rarelens.measures import statistics
from rarelens.measures.statistics import Estimate
from rarelens.studies.settings.results import Compare

Array = NDArray[np.float64]


def over_patients(values: Array, settings: Compare) -> Estimate:
    """What is a mean over patients: ``values`` (S, n), own ones or paired differences.

    The interval resamples seeds and patients. p is that of Wilcoxon's signed-rank test on the
    means of the patients over seeds; it speaks of differences only.
    """
    found = statistics.bootstrap_means(
        values, settings.bootstrap, settings.confidence, settings.seed
    )
    return found._replace(p=statistics.signed_rank(statistics.subject_means(values)))


def over_resamples(values: Array, settings: Compare) -> list[Estimate]:
    """What is no mean over patients: the values of S seeds, and of B resamples of patients.

    Args:
        values: (1 + B, S, K), K targets; own ones or differences.
        settings: confidence and seed.

    Returns:
        K estimates.
    """
    return statistics.bootstrap_resampled(values, settings.confidence, settings.seed)


def over_models(values: Array, pooled: bool, settings: Compare) -> Estimate:
    """What has one value a model, ``values`` (S,): Student's t over three or more seeds.

    It says nothing about the choice of patients; of what is ``pooled`` over them, it would seem
    to: that has neither interval nor test.
    """
    if pooled:
        return statistics.mean_alone(values)
    return statistics.student(values, settings.confidence)
