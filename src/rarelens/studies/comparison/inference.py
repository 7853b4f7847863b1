"""The one place where intervals and tests are chosen, by what the values of a measure are.

A claim about a method must hold for the next training and the next patient: both are random. No
claim rests on fewer than `ENOUGH_SEEDS` trainings: below, there is no p.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rarelens.measures import statistics
from rarelens.measures.statistics import Crossed, Estimate
from rarelens.studies.settings.results import Compare

Array = NDArray[np.float64]


def over_patients(values: Array, settings: Compare) -> Estimate:
    """What is a mean over patients: ``values`` (S, n), own ones or paired differences.

    Seeds and patients are random and crossed (`crossed_difference`). Where seeds have patients of
    their own, as the training subjects that are drawn for each, the seeds' means are independent:
    Student's t. Of fewer patients than ``least_positives`` the mean alone is given.
    """
    values = values[np.isfinite(values).any(axis=1)]
    means, known = statistics.seed_means(values), np.isfinite(values)
    patients = int(known.any(axis=0).sum())
    if patients < settings.least_positives:
        found = statistics.mean_alone(means)
    elif (known.all(axis=0) == known.any(axis=0)).all():
        crossed = statistics.crossed_difference(values, settings.confidence)
        found = _with(statistics.mean_alone(means), crossed)
    else:
        found = statistics.student(means, settings.confidence)
    return found._replace(patients=patients)


def over_resamples(values: Array, settings: Compare, patients: Sequence[int]) -> list[Estimate]:
    """What is no mean over patients: the values of S seeds, and of B resamples of patients.

    Args:
        values: (1 + B, S, K), K targets; own ones or differences.
        settings: confidence.
        patients: (K,) how many carry each target (`crossed_statistic`); of fewer than
            ``least_positives`` the mean alone is given.

    Returns:
        K estimates, by Obuchowski and Rockette's form of the same (`crossed_statistic`).
    """
    found = []
    for own, number in zip(np.moveaxis(values, 2, 0), patients, strict=True):
        mean = statistics.mean_alone(own[0])
        if number >= settings.least_positives:
            crossed = statistics.crossed_statistic(own[0], own[1:], number, settings.confidence)
            mean = _with(mean, crossed)
        found.append(mean)
    return found


def over_models(values: Array, pooled: bool, settings: Compare) -> Estimate:
    """What has one value a model, ``values`` (S,): Student's t over three or more seeds.

    It says nothing about the choice of patients; of what is ``pooled`` over them, it would seem
    to: that has neither interval nor test.
    """
    if pooled:
        return statistics.mean_alone(values)
    return statistics.student(values, settings.confidence)


def _with(found: Estimate, crossed: Crossed) -> Estimate:
    known = found._replace(mean=crossed.mean, low=crossed.low, high=crossed.high)
    if not known.sufficient:
        return known
    return known._replace(p=crossed.p, error=crossed.error)
