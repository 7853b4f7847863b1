"""The difference of two sides, training and unseen patients, of one trained network."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from rarelens.measures.statistics.crossed import Crossed
from rarelens.measures.statistics.error import Error, Part


def difference_of_sides(
    first: Mapping[str, float], second: Mapping[str, float], confidence: float = 0.95
) -> Crossed:
    """Mean of the second side minus that of the first, with a t interval over patients.

    Where no patient is on both sides it is Welch's t (Biometrika 1947), which lets the sides have
    spreads of their own. Where all are on both, as in a cross-validation, it is the paired t.
    Where some are, Welch's is taken, which is too wide then, for the sides go along.

    Args:
        first: a value for each patient of one side.
        second: of the other.
        confidence: of the interval.

    Returns:
        NaN but for the difference where a side has fewer than two patients.

    Examples:
        >>> found = difference_of_sides({"a": 4.0, "b": 6.0}, {"c": 1.0, "d": 2.0})
        >>> round(found.mean, 2), round(found.low, 2), round(found.high, 2)
        (-3.5, -10.42, 3.42)
    """
    sides = [np.array([side[key] for key in sorted(side)]) for side in (first, second)]
    if not all(side.size for side in sides):
        return Crossed(math.nan)
    mean = float(sides[1].mean() - sides[0].mean())
    if min(side.size for side in sides) < 2:
        return Crossed(mean)
    if first.keys() == second.keys():
        sides = [sides[1] - sides[0]]
    parts = [float(side.var(ddof=1)) / side.size for side in sides]
    variance = sum(parts)
    if variance <= (1e-12 * mean) ** 2:
        return Crossed(mean)
    freedom = variance**2 / sum(
        part**2 / (side.size - 1) for part, side in zip(parts, sides, strict=True)
    )
    error = Error((Part(math.sqrt(variance), freedom),))
    return Crossed(mean, *error.interval(mean, confidence), freedom, error)
