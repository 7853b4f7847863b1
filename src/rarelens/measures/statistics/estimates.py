"""Means over seeds with intervals and p: from draws of seeds and patients, or from seeds alone.

A sampled value is an array (1 + B, S, K): for S seeds and K targets (the mean over classes, each
class, …) the estimate, then B bootstrap draws of patients. All models of a study are tested on the
same patients, so that seeds and patients are crossed and one draw of patients serves all seeds;
seeds are drawn beside them (Owen, The pigeonhole bootstrap, Annals of Applied Statistics 2007).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.statistics.clusters import percentiles

Array = NDArray[np.float64]

ENOUGH_SEEDS = 3


class Estimate(NamedTuple):
    """A mean over seeds; what is not defined is NaN."""

    mean: float
    low: float
    high: float
    p: float
    spread: float
    seeds: int

    @property
    def sufficient(self) -> bool:
        """Whether there are seeds enough for a claim."""
        return self.seeds >= ENOUGH_SEEDS


UNDEFINED = Estimate(math.nan, math.nan, math.nan, math.nan, math.nan, 0)


def draw_seeds(seeds: int, draws: int, seed: int) -> Array:
    """How often each draw takes each seed, (1 + B, S); row 0 takes each once."""
    rng = np.random.default_rng([seed, seeds])
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    return np.vstack([np.ones((1, seeds)), drawn]).astype(np.float64)


def sampled(values: Array, by_seed: Array, confidence: float) -> list[Estimate]:
    """Estimate of each target, by resampling seeds and patients.

    The interval is the percentile interval, and p the smallest level at which it leaves out 0:
    2·(1 + the draws on the rarer side of 0)/(1 + B), at most 1 (Davison and Hinkley, Bootstrap
    Methods and their Application, 1997, section 4.4 for the 1 that keeps it above 0). It speaks
    of differences only.

    Args:
        values: (1 + B, S, K), NaN where not defined.
        by_seed: `draw_seeds`.
        confidence: share of the draws within the interval.
    """
    present = np.isfinite(values)
    weights = by_seed[:, :, None] * present
    total = weights.sum(axis=1)
    sums = (weights * np.where(present, values, 0.0)).sum(axis=1)
    means = np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)
    low, high = percentiles(means[1:], confidence)
    found = []
    for target, mean in enumerate(means[0]):
        if not math.isfinite(mean):
            found.append(UNDEFINED)
            continue
        own = values[0, present[0, :, target], target]
        p = _two_sided(means[1:, target])
        bounds = float(low[target]), float(high[target])
        found.append(Estimate(float(mean), *bounds, p, _spread(own), len(own)))
    return found


def student(values: Array, confidence: float) -> Estimate:
    """Estimate from one value per seed: Student's t interval, and p that the mean is 0.

    It needs three seeds; and a spread, without which nothing can be said but where all is 0.

    Args:
        values: (S,), NaN for missing ones.
        confidence: of the interval.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return UNDEFINED
    mean, spread = float(known.mean()), _spread(known)
    # Equal numbers have a spread of rounding errors.
    alike = np.ptp(known) <= 1e-12 * np.abs(known).max()
    if known.size < ENOUGH_SEEDS or alike:
        p = 1.0 if known.size >= ENOUGH_SEEDS and mean == 0 else math.nan
        return Estimate(mean, math.nan, math.nan, p, 0.0 if alike else spread, known.size)
    from scipy.stats import t

    error, freedom = spread / math.sqrt(known.size), known.size - 1
    reach = float(t.ppf((1 + confidence) / 2, freedom)) * error
    p = 2 * float(t.sf(abs(mean) / error, freedom))
    return Estimate(mean, mean - reach, mean + reach, p, spread, known.size)


def _two_sided(draws: Array) -> float:
    known = draws[np.isfinite(draws)]
    rarer = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (1 + known.size))


def _spread(values: Array) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else math.nan
