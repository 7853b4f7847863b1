"""Equality is tested for: two one-sided tests.

Source: Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 1987; of several differences
all must be within the margin, each at the level (intersection-union: Berger, Technometrics 1982).
"""

from __future__ import annotations

import math

from rarelens.measures.statistics.estimates import Estimate


def equivalence(difference: Estimate, margin: float) -> float:
    """P that a difference is as large as ``margin`` in size; below the level it is smaller.

    Args:
        difference: with its error.
        margin: above 0, in the unit of the difference.

    Returns:
        The larger p of the two one-sided tests; NaN where there is no error. A difference of 0
        without any spread is within every margin: 0.

    Examples:
        >>> from rarelens.measures.statistics.estimates import student
        >>> import numpy as np
        >>> round(equivalence(student(np.array([0.004, -0.002, 0.001]), 0.95), 0.02), 4)
        0.0041
    """
    if difference.p == 1 and difference.mean == 0:
        return 0.0
    if difference.error is None:
        return math.nan
    return difference.error.beyond(margin - abs(difference.mean))


def equivalent_within(difference: Estimate, level: float) -> float:
    """The smallest margin within which a difference is equivalent: what the data allow to tell.

    Args:
        difference: with its error.
        level: of the two one-sided tests.
    """
    if difference.p == 1 and difference.mean == 0:
        return 0.0
    if difference.error is None:
        return math.nan
    return abs(difference.mean) + difference.error.reach(level)
