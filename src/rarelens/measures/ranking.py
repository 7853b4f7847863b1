"""AUROC and average precision, for many weightings of the same images at once; thresholds.

The measures are scikit-learn's (``roc_auc_score``, ``average_precision_score`` with
``sample_weight``); a bootstrap of a thousand draws needs them a thousand times, for which sorting
once and summing weights is some hundred times faster.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Ranking(NamedTuple):
    """AUROC and average precision; one entry a draw (or a class)."""

    auroc: Array
    average_precision: Array


def ranking(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike) -> Ranking:
    """AUROC and average precision of one class under each row of weights.

    AUROC is the share of (positive, negative) pairs in the right order, ties counting half;
    average precision is Σ (R_u − R_{u−1}) P_u over the distinct scores u, from the highest.

    Args:
        labels: (n,), 1 or 0.
        scores: (n,); higher means rather positive.
        weights: (B, n), how often each image counts in each draw.

    Returns:
        Two arrays (B,); NaN in draws without a positive or without a negative.
    """
    labels, scores = (np.asarray(side, dtype=np.float64) for side in (labels, scores))
    weights = np.asarray(weights, dtype=np.float64)
    if len(labels) == 0:
        return Ranking(np.full(len(weights), np.nan), np.full(len(weights), np.nan))
    order = np.argsort(-scores, kind="stable")
    ties = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    drawn, truth = weights[:, order], labels[order]
    positive, every = drawn * truth, drawn
    if len(ties) < len(truth):
        positive, every = (np.add.reduceat(side, ties, axis=1) for side in (positive, every))
    hits, called = np.cumsum(positive, axis=1), np.cumsum(every, axis=1)
    positives, negatives = hits[:, -1], called[:, -1] - hits[:, -1]
    # Of the negatives, those below each score, and half of those at it.
    beaten = negatives[:, None] - (called - hits) + (every - positive) / 2
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    both = (positives > 0) & (negatives > 0)
    pairs = np.where(both, positives * negatives, np.nan)
    return Ranking(
        np.einsum("bu,bu->b", positive, beaten) / pairs,
        np.einsum("bu,bu->b", positive, precision) / np.where(both, positives, np.nan),
    )


def best_f1_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """The observed score at and above which calling images positive has the largest F1.

    Args:
        labels: (n,), 1, 0 or NaN (ignored).
        scores: (n,).

    Returns:
        The highest such score; NaN where the labels have one sign.
    """
    labels, scores = (np.asarray(side, dtype=np.float64) for side in (labels, scores))
    known = np.isfinite(labels)
    labels, scores = labels[known], scores[known]
    if len(np.unique(labels)) < 2:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + labels.sum())
    # Only the last of a run of equal scores stands for a threshold.
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    return float(scores[order][last[np.argmax(f1[last])]])
