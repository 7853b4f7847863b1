"""The correction of many tests, and a count of who gains."""

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
