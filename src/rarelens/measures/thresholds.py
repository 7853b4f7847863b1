"""Thresholds that are fixed on validation images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


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
