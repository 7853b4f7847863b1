"""Means over seeds with intervals: by resampling seeds and patients, or from seeds alone.

All models of a comparison are tested on the same patients: seeds and patients are crossed. One
draw of patients therefore serves all seeds of that draw, and seeds are drawn beside them; drawing
patients anew for each seed would treat one patient's results as independent, and make the interval
too narrow (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8; Owen,
The pigeonhole bootstrap, Annals of Applied Statistics 2007).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.arrays import ratio
from rarelens.measures.clusters import percentiles
from rarelens.measures.statistics.means import mean_over_seeds, seed_means

Array = NDArray[np.float64]

ENOUGH_SEEDS = 3


class Estimate(NamedTuple):
    """A mean over seeds, its interval, the p that it is 0, the seeds' standard deviation.

    What is not defined is NaN. ``patients`` is 0 of what is no mean over patients.
    """

    mean: float
    low: float
    high: float
    p: float
    spread: float
    seeds: int
    patients: int = 0

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
    error = found.spread / math.sqrt(known.size)
    low, high, p = t_interval(found.mean, error, known.size - 1, confidence)
    return found._replace(low=low, high=high, p=p)


def t_interval(
    mean: float, error: float, freedom: float, confidence: float
) -> tuple[float, float, float]:
    """Bounds of Student's t interval of a mean, and the two-sided p that it is 0.

    Args:
        mean: the mean.
        error: its standard error, above 0.
        freedom: degrees of freedom.
        confidence: of the interval.
    """
    # scipy.stats takes a second to import, and only this function needs it.
    from scipy.stats import t

    reach = float(t.ppf((1 + confidence) / 2, freedom)) * error
    return mean - reach, mean + reach, 2 * float(t.sf(abs(mean) / error, freedom))


def bootstrap_means(values: Array, draws: int, confidence: float, seed: int) -> Estimate:
    """Percentile interval of a mean over patients, by resampling seeds and patients.

    Args:
        values: (S, n), one a seed and patient, for instance a paired difference; NaN where a
            patient is missing.
        draws: B.
        confidence: share of the draws within the interval, 0 to 1.
        seed: of the random numbers.

    Returns:
        The mean of the seeds' means with its interval; without p.
    """
    present = np.isfinite(values)
    if not present.any():
        return UNDEFINED
    by_seed, by_patient = _draws(*values.shape, draws, seed)
    # Around the mean, so that a constant loses nothing to rounding.
    centre = mean_over_seeds(values)
    deviations = np.where(present, values - centre, 0.0)
    with np.errstate(invalid="ignore"):
        drawn = (by_patient @ deviations.T) / (by_patient @ present.T.astype(float))
    around = _crossed(drawn[:, :, None], by_seed)[1:]
    low, high = (centre + float(bound[0]) for bound in percentiles(around, confidence))
    found = mean_alone(seed_means(values))
    patients = int(present.any(axis=0).sum())
    return found._replace(mean=centre, low=low, high=high, patients=patients)


def bootstrap_resampled(values: Array, confidence: float, seed: int) -> list[Estimate]:
    """Percentile interval of what is no mean over patients, from its values in resamples of them.

    p is the smallest level at which the interval leaves out 0: 2·(1 + the draws on the rarer side
    of 0)/(1 + B), at most 1 (Davison and Hinkley 1997, section 4.4, for the 1 that keeps it above
    0). It speaks of differences only.

    Args:
        values: (1 + B, S, K): for S seeds and K targets (the mean over classes, each class, …)
            the estimate, then B resamples of patients; NaN where not defined.
        confidence: share of the draws within the interval.
        seed: of the random numbers with which seeds are drawn.

    Returns:
        K estimates.
    """
    means = _crossed(values, _draws(values.shape[1], 0, len(values) - 1, seed)[0])
    low, high = percentiles(means[1:], confidence)
    found = []
    for target, mean in enumerate(means[0]):
        bounds = float(low[target]), float(high[target])
        own, p = mean_alone(values[0, :, target]), _two_sided(means[1:, target])
        known = Estimate(float(mean), *bounds, p, own.spread, own.seeds)
        found.append(known if own.seeds else UNDEFINED)
    return found


def _crossed(values: Array, by_seed: Array) -> Array:
    """Means over the drawn seeds, (1 + B, K), of ``values`` (1 + B, S, K) where defined."""
    present = np.isfinite(values)
    weights = by_seed[:, :, None] * present
    total = weights.sum(axis=1)
    sums = (weights * np.where(present, values, 0.0)).sum(axis=1)
    return ratio(sums, total)


@lru_cache(maxsize=64)
def _draws(seeds: int, patients: int, draws: int, seed: int) -> tuple[Array, Array]:
    """How often each draw takes each seed, (1 + B, S), and patient, (1 + B, n).

    Row 0 takes each once. Without patients seeds alone are drawn.
    """
    rng = np.random.default_rng([seed, seeds, patients] if patients else [seed, seeds])

    def draw(number: int) -> Array:
        drawn = rng.multinomial(number, np.full(number, 1 / number), size=draws)
        return np.vstack([np.ones((1, number)), drawn]).astype(np.float64)

    return draw(seeds), draw(patients) if patients else np.ones((1 + draws, 0))


def _two_sided(draws: Array) -> float:
    known = draws[np.isfinite(draws)]
    rarer = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (1 + known.size))


def _spread(values: Array) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else math.nan
