"""Intervals and tests that hold for the next training and the next patient.

Trained models are tested on the same patients, as readers read the same cases: both are random, and
crossed. Sources: Dorfman, Berbaum and Metz, Investigative Radiology 1992; Obuchowski and Rockette,
Communications in Statistics 1995; Hillis, Statistics in Medicine 2007 (degrees of freedom). The
mean varies with seeds and with patients, each by a t of its own (`Error`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rarelens.measures.arrays import ratio
from rarelens.measures.statistics.error import Error, Part

Array = NDArray[np.float64]


class Crossed(NamedTuple):
    """A mean with its interval and the two-sided p that it is 0.

    ``freedom``: Satterthwaite's degrees of freedom of its variance, as a description: interval and
    p are of ``error``, which is None where they are not defined.
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    freedom: float = math.nan
    error: Error | None = None


def crossed_difference(values: ArrayLike, confidence: float = 0.95) -> Crossed:
    r"""The crossed random-effects t of paired differences, seeds and patients both random.

    .. math:: \mathrm{Var}(\bar D) = (MS_S + \max(MS_I - MS_E, 0)) / (S n)

    with the mean squares of seeds, of patients and of the residuals; the first part has S − 1
    degrees of freedom, the second n − 1. The cases of one patient are averaged before
    (`patient_means`).

    Args:
        values: (S, n), a difference for each seed and patient; NaN where there is none. A patient
            counts who has a value in every seed that has any.
        confidence: of the interval.

    Returns:
        NaN but for the mean with fewer than two seeds or two patients, or without any spread; where
        all differences are 0, p is 1.

    Examples:
        >>> found = crossed_difference([[0.1, 0.3], [0.2, 0.2], [0.3, 0.4]])
        >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
        (0.25, -0.361, 0.861)
    """
    table = np.asarray(values, dtype=np.float64)
    table = table[np.isfinite(table).any(axis=1)]
    table = table[:, np.isfinite(table).all(axis=0)]
    seeds, patients = table.shape
    if not table.size:
        return Crossed(math.nan)
    mean = float(table.mean())
    if min(seeds, patients) < 2:
        return Crossed(mean)
    by_seed, by_patient = table.mean(axis=1) - mean, table.mean(axis=0) - mean
    residuals = table - mean - by_seed[:, None] - by_patient
    ms_seeds = patients * float(by_seed @ by_seed) / (seeds - 1)
    ms_patients = seeds * float(by_patient @ by_patient) / (patients - 1)
    ms_residuals = float((residuals**2).sum()) / ((seeds - 1) * (patients - 1))
    beyond = max(ms_patients - ms_residuals, 0.0)
    spread = ms_seeds**2 / (seeds - 1)
    if beyond > 0:
        spread += ms_patients**2 / (patients - 1)
        spread += ms_residuals**2 / ((seeds - 1) * (patients - 1))
    whole = ms_seeds + beyond
    parts = (ms_seeds, seeds - 1), (beyond, patients - 1)
    error = [Part(math.sqrt(part / (seeds * patients)), freedom) for part, freedom in parts]
    return _crossed(mean, Error(tuple(error)), float(ratio(whole**2, spread)), confidence)


def crossed_statistic(
    values: ArrayLike, resamples: ArrayLike, patients: int, confidence: float = 0.95
) -> Crossed:
    r"""The same for a statistic that is no mean over patients (AUROC, AP, a count of detectors).

    .. math:: \mathrm{Var}(\bar\theta) = (MS_S + \max(S\,\mathrm{cov}, 0)) / S

    with cov the mean covariance, over resamples of patients, of two seeds' statistics, times
    n / (n − 1), for resamples of n patients vary by less than patients do. It is known as a
    variance of n is: the patients' part has n − 1 degrees of freedom, as that of a mean.

    Args:
        values: (S,), the statistic (or a difference of two) for each seed.
        resamples: (B, S), the same in B bootstrap draws of patients, a draw the same for all
            seeds; NaN where it is not defined.
        patients: n, how many carry the statistic; where there are two kinds of them (with a
            finding and without, of training and unseen), the number of the rarer kind.
        confidence: of the interval.

    Returns:
        As `crossed_difference`.

    Raises:
        ValueError: if the two have other numbers of seeds.
    """
    known, draws = np.asarray(values, np.float64), np.asarray(resamples, np.float64)
    if draws.ndim != 2 or known.shape != draws.shape[1:]:
        raise ValueError(f"resamples of shape {draws.shape} for values of shape {known.shape}")
    draws, known = draws[:, np.isfinite(known)], known[np.isfinite(known)]
    draws = draws[np.isfinite(draws).all(axis=1)]
    seeds = len(known)
    if not seeds:
        return Crossed(math.nan)
    mean = float(known.mean())
    if min(seeds, len(draws), patients) < 2:
        return Crossed(mean)
    ms_seeds = float(known.var(ddof=1))
    covariance = np.cov(draws, rowvar=False)
    shared = float(covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1))
    beyond = max(seeds * shared * patients / (patients - 1), 0.0)
    spread = ms_seeds**2 / (seeds - 1) + beyond**2 / (patients - 1)
    parts = (ms_seeds, seeds - 1), (beyond, patients - 1)
    error = Error(tuple(Part(math.sqrt(part / seeds), freedom) for part, freedom in parts))
    freedom = float(ratio((ms_seeds + beyond) ** 2, spread))
    return _crossed(mean, error, freedom, confidence)


def _crossed(mean: float, error: Error, freedom: float, confidence: float) -> Crossed:
    # What is left of equal numbers after rounding is no variance.
    if error.size <= 1e-12 * abs(mean) or not math.isfinite(error.size):
        return Crossed(mean)._replace(p=1.0 if error.size == 0 and mean == 0 else math.nan)
    return Crossed(mean, *error.interval(mean, confidence), freedom, error)
