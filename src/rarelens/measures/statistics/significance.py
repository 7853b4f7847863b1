"""Tests of paired differences, their correction, and a count of who gains."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Record(NamedTuple):
    """How many subjects a method does better, equally well and worse on."""

    wins: int
    ties: int
    losses: int


def signed_rank(differences: Array) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that differences are symmetric about 0.

    Args:
        differences: (subjects,), NaN for missing ones.

    Returns:
        p; 1 where all differences are 0, NaN where there is none.
    """
    # scipy.stats takes a second to import, and only this function needs it.
    from scipy.stats import wilcoxon

    known = differences[np.isfinite(differences)]
    if known.size == 0:
        return float("nan")
    if not known.any():
        return 1.0
    return float(wilcoxon(known).pvalue)


def holm(p: Array) -> Array:
    """Holm's step-down correction over the tests whose p is known; NaN stays NaN.

    Not statsmodels' ``multipletests``, its reference in the tests: that collects all garbage at
    each call, and a study makes hundreds. Source: Holm, Scandinavian Journal of Statistics 1979.
    """
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    ascending = known[np.argsort(p[known], kind="stable")]
    scaled = p[ascending] * np.arange(len(ascending), 0, -1)
    corrected[ascending] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected


def record(gains: Array, tolerance: float = 1e-9) -> Record:
    """Count the subjects with a gain, with none (up to ``tolerance``) and with a loss.

    Args:
        gains: (subjects,), positive where the method is better; NaN is not counted.
        tolerance: below which a gain counts as a tie.
    """
    wins = int((gains > tolerance).sum())
    losses = int((gains < -tolerance).sum())
    return Record(wins, int(np.isfinite(gains).sum()) - wins - losses, losses)
