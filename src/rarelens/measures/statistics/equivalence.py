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
        difference: with its standard error and degrees of freedom.
        margin: above 0, in the unit of the difference.

    Returns:
        The larger p of the two one-sided t tests; NaN where there is no error. A difference of 0
        without any spread is within every margin: 0.

    Example:
        >>> from rarelens.measures.statistics.estimates import student
        >>> import numpy as np
        >>> round(equivalence(student(np.array([0.004, -0.002, 0.001]), 0.95), 0.02), 4)
        0.0041
    """
    # scipy.stats takes a second to import, and only this function needs it.
    from scipy.stats import t

    if difference.p == 1 and difference.mean == 0:
        return 0.0
    if not math.isfinite(difference.error):
        return math.nan
    return float(t.sf((margin - abs(difference.mean)) / difference.error, difference.freedom))


def equivalent_within(difference: Estimate, level: float) -> float:
    """The smallest margin within which a difference is equivalent: what the data allow to tell.

    Args:
        difference: with its standard error and degrees of freedom.
        level: of the two one-sided tests.
    """
    from scipy.stats import t

    if difference.p == 1 and difference.mean == 0:
        return 0.0
    if not math.isfinite(difference.error):
        return math.nan
    reach = float(t.ppf(1 - level, difference.freedom)) * difference.error
    return abs(difference.mean) + reach
