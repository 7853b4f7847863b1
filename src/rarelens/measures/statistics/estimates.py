"""A mean over seeds with its interval, and Student's t where there is one value a model."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.statistics.error import Error, Part

Array = NDArray[np.float64]

ENOUGH_SEEDS = 3


class Estimate(NamedTuple):
    """A mean over seeds, its interval, the p that it is 0, the seeds' standard deviation.

    What is not defined is NaN. ``patients`` is 0 of what is no mean over patients. ``error`` is
    what interval and p are of; None where there is neither.
    """

    mean: float
    low: float
    high: float
    p: float
    spread: float
    seeds: int
    patients: int = 0
    error: Error | None = None

    @property
    def sufficient(self) -> bool:
        """Whether there are seeds enough for a claim."""
        return self.seeds >= ENOUGH_SEEDS


UNDEFINED = Estimate(math.nan, math.nan, math.nan, math.nan, math.nan, 0)


def mean_alone(values: Array) -> Estimate:
    """The mean of values that allow neither interval nor test.

    Args:
        values: (S,), one a seed; NaN for missing ones.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return UNDEFINED
    return UNDEFINED._replace(mean=float(known.mean()), spread=_spread(known), seeds=known.size)


def student(values: Array, confidence: float) -> Estimate:
    """Student's t interval from one value a seed, and p that the mean is 0.

    It needs three seeds; and a spread, without which nothing can be said but where all is 0.

    Args:
        values: (S,), NaN for missing ones.
        confidence: of the interval.
    """
    known, found = values[np.isfinite(values)], mean_alone(values)
    if not known.size:
        return found
    # Equal numbers have a spread of rounding errors.
    alike = np.ptp(known) <= 1e-12 * np.abs(known).max()
    if alike:
        found = found._replace(spread=0.0)
    if known.size < ENOUGH_SEEDS or alike:
        certain = known.size >= ENOUGH_SEEDS and found.mean == 0
        return found._replace(p=1.0 if certain else math.nan)
    error = Error((Part(found.spread / math.sqrt(known.size), known.size - 1),))
    low, high, p = error.interval(found.mean, confidence)
    return found._replace(low=low, high=high, p=p, error=error)


def _spread(values: Array) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else math.nan
