"""What adding a number to the logit of one class would do to its Dice: fitted, and cross-fitted.

With an offset o on class c and none on the others, a voxel is predicted c where its margin for c
(`rarelens.measures.score_margins`) is above −o. So the Dice of the class at every offset of a grid
is exact from two counts of a case: the voxels of the class, and all voxels, with a margin above −o.
No voxel is kept. Of two classes, or a region, an offset o is the threshold 1/(1 + e^o) on p.

**Fit**: the mean Dice over patients is largest at some offset; of those whose mean is not lower by
more than one standard error of the paired difference, the nearest to 0 is taken (the lower if two
are): one that gains nothing beyond noise is 0. The rule is Breiman's one-standard-error rule
(Breiman et al., Classification and Regression Trees, 1984). **Cross-fit**: patients are dealt to
folds; each fold is judged with the offset fitted on the others, so that no patient is judged by an
offset that has seen it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.arrays import ratio
from rarelens.measures.statistics.error import Error, Part

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

STEP = 0.25
"""Of the grid, in logits; a power of two, so that counts are exact."""

OFFSETS: Floats = np.arange(-32, 33, dtype=np.float64) * STEP
"""The grid: −8 to 8."""

FOLDS = 5


class OffsetCounts(NamedTuple):
    """Of one class in one case, at each of `OFFSETS`: (hit and) predicted voxels, each (65,)."""

    hit: Counts
    predicted: Counts

    @classmethod
    def of(cls, margins: NDArray[Any], inside: NDArray[np.bool_]) -> OffsetCounts:
        """Count voxels.

        Args:
            margins: (n,), finite, for this class whatever the voxel's true class.
            inside: (n,), whether the class is the true one.
        """
        number = len(OFFSETS)
        # The first offset above −margin: there the voxel turns into the class.
        first = np.floor((-margins - OFFSETS[0]) / STEP).clip(-1, number - 1).astype(np.intp) + 1
        found = np.bincount(first + (number + 1) * inside, minlength=2 * (number + 1))
        outside, within = found.reshape(2, -1).cumsum(axis=1)[:, :number]
        return cls(within, within + outside)

    def __add__(self, other: object) -> OffsetCounts:
        if not isinstance(other, OffsetCounts):
            return NotImplemented
        return OffsetCounts(self.hit + other.hit, self.predicted + other.predicted)

    def dice(self, voxels: int) -> Floats:
        """Dice at each offset, (65,), of a case with ``voxels`` of the class; NaN without any."""
        if not voxels:
            return np.full(len(OFFSETS), np.nan)
        return ratio(2 * self.hit, voxels + self.predicted)


class OffsetGain(NamedTuple):
    """The offset fitted on all patients; its cross-fitted gain in Dice, with interval.

    ``best`` is the mean Dice at the best offset of the grid, on the very patients that chose it:
    no offset can do better.
    """

    value: float
    gain: float
    low: float
    high: float
    best: float


def fit_offset(dice: Floats) -> float:
    """The offset of the grid that is best for (P, 65) patients, by the rule above."""
    mean = dice.mean(axis=0)
    behind = dice[:, mean.argmax(), None] - dice
    error = behind.std(axis=0, ddof=1) / math.sqrt(len(dice)) if len(dice) > 1 else 0.0
    good = np.flatnonzero(behind.mean(axis=0) <= error)
    return float(OFFSETS[good[np.abs(OFFSETS[good]).argmin()]])


def cross_fitted_gain(dice: Floats, confidence: float = 0.95, folds: int = FOLDS) -> OffsetGain:
    """What the offset of a class gains on patients that it was not fitted on.

    Args:
        dice: (P, 65), each patient's Dice at each of `OFFSETS`; patients in a fixed order, in which
            they are dealt to folds one by one.
        confidence: of the interval, Student's t over patients.
        folds: at most so many; as many as patients, if they are fewer.

    Returns:
        NaN for gain and interval with fewer than three patients, and for all without any.
    """
    patients, nothing = len(dice), math.nan
    if not patients:
        return OffsetGain(*[nothing] * 5)
    value, best = fit_offset(dice), float(dice.mean(axis=0).max())
    if patients < 3:
        return OffsetGain(value, nothing, nothing, nothing, best)
    fold = np.arange(patients) % min(folds, patients)
    zero = int(np.flatnonzero(OFFSETS == 0)[0])
    gains = np.empty(patients)
    for own in np.unique(fold):
        fitted = fit_offset(dice[fold != own])
        judged = dice[fold == own]
        gains[fold == own] = judged[:, np.searchsorted(OFFSETS, fitted)] - judged[:, zero]
    gain, error = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(patients)
    if error <= 1e-12:
        return OffsetGain(value, gain, gain, gain, best)
    low, high, _ = Error((Part(error, patients - 1),)).interval(gain, confidence)
    return OffsetGain(value, gain, low, high, best)
