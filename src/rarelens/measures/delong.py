"""DeLong's test: the variance of an AUROC, and the difference of two on the same images.

Images count as independent. Where a patient has several, the true variance is larger and the
interval of the patient-cluster bootstrap is the one to trust.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class DeLong(NamedTuple):
    """AUROCs (K,) and their covariance (K, K)."""

    auroc: Array
    covariance: Array


def delong(labels: ArrayLike, scores: ArrayLike) -> DeLong:
    """AUROCs of K models on the same images, and their covariance.

    DeLong, DeLong and Clarke-Pearson, Biometrics 1988, by the ranks of Sun and Xu, IEEE Signal
    Processing Letters 2014: O(K n log n) instead of O(K n₊ n₋).

    Args:
        labels: (n,), 1 or 0.
        scores: (K, n).

    Returns:
        NaN everywhere with fewer than two positives or two negatives.
    """
    truth = np.asarray(labels) == 1
    models = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if min(positives, negatives) < 2:
        return DeLong(np.full(len(models), np.nan), np.full((len(models),) * 2, np.nan))
    ranks = np.array([_midranks(own) for own in models])
    within = np.array([_midranks(own[truth]) for own in models])
    without = np.array([_midranks(own[~truth]) for own in models])
    # How often each positive beats a negative, and each negative is beaten.
    beats = (ranks[:, truth] - within) / negatives
    beaten = 1 - (ranks[:, ~truth] - without) / positives
    covariance = np.cov(beats) / positives + np.cov(beaten) / negatives
    return DeLong(beats.mean(axis=1), np.atleast_2d(covariance))


def delong_p(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided p that two models have the same AUROC.

    Args:
        labels: (n,), 1, 0 or NaN (ignored).
        first: scores (n,) of one model.
        second: scores (n,) of the other.

    Returns:
        p; 1 for scores in the same order, NaN where the AUROC has no variance (`delong`).
    """
    labels = np.asarray(labels, dtype=np.float64)
    known = np.isfinite(labels)
    auroc, covariance = delong(labels[known], np.stack([first, second])[:, known])
    difference = float(auroc[0] - auroc[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if math.isnan(difference):
        return float("nan")
    # What is left of a variance of 0 after rounding is no variance.
    if variance <= 1e-15:
        return 1.0 if abs(difference) < 1e-12 else 0.0
    return math.erfc(abs(difference) / math.sqrt(2 * variance))


def _midranks(values: Array) -> Array:
    """Rank of each value from 1, the mean rank for ties."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], dtype=np.float64)
