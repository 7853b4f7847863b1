"""Paired statistics over seeds and subjects: pure functions of arrays.

Everywhere an array (seeds, subjects) holds one number per trained model and test subject, NaN
where a subject is missing in a seed. The mean is that of the seeds' means, so that a seed with
fewer subjects weighs as much as another.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """A mean and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


class Record(NamedTuple):
    """How many subjects a method does better, equally well and worse on."""

    wins: int
    ties: int
    losses: int


def mean_over_seeds(values: Array) -> float:
    """The mean over seeds of the means over subjects; NaN where there is no value.

    Args:
        values: (seeds, subjects).
    """
    return _mean(seed_means(values))


def seed_means(values: Array) -> Array:
    """Each seed's mean over its subjects, (seeds,); NaN for a seed without any."""
    return np.array([_mean(row) for row in values])


def subject_means(values: Array) -> Array:
    """Each subject's mean over its seeds, (subjects,); NaN for a subject without any."""
    return np.array([_mean(column) for column in values.T])


def hierarchical_bootstrap(values: Array, draws: int, confidence: float, seed: int) -> Interval:
    """Percentile interval of the mean, by resampling seeds and then subjects.

    Every model of a study is tested on the same subjects: seeds and subjects are crossed. One
    draw of subjects therefore serves all seeds of that draw; drawing them anew for each seed
    would treat one subject's results as independent and make the interval too narrow.
    Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8;
    Owen, The pigeonhole bootstrap, Annals of Applied Statistics 2007.

    Args:
        values: (seeds, subjects), for instance a paired difference.
        draws: number of bootstrap draws.
        confidence: share of the draws within the interval, 0 to 1.
        seed: of the random numbers.

    Returns:
        The mean and its bounds; all NaN where there is no value.
    """
    present = np.isfinite(values)
    if not present.any():
        return Interval(np.nan, np.nan, np.nan)
    by_seed, by_subject = _weights(*values.shape, draws, seed)
    # Around the mean, so that a constant loses nothing to rounding.
    centre = mean_over_seeds(values)
    deviations = np.where(present, values - centre, 0.0)
    with np.errstate(invalid="ignore"):
        means = (by_subject @ deviations.T) / (by_subject @ present.T.astype(float))
    usable = by_seed * np.isfinite(means)
    total = usable.sum(axis=1)
    drawn = (usable * np.nan_to_num(means)).sum(axis=1)[total > 0] / total[total > 0]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(centre, centre + float(low), centre + float(high))


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


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


@lru_cache(maxsize=64)
def _weights(seeds: int, subjects: int, draws: int, seed: int) -> tuple[Array, Array]:
    """How often each draw takes each seed, (draws, seeds), and each subject, (draws, subjects)."""
    rng = np.random.default_rng([seed, seeds, subjects])
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    by_subject = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=draws)
    return by_seed.astype(np.float64), by_subject.astype(np.float64)
