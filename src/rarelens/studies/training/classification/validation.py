"""Validation during training: mean average precision over the classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def defined_classes(labels: NDArray[np.float32]) -> list[int]:
    """Classes whose labels (N, C) have both signs."""
    both = (labels == 1).any(axis=0) & (labels == 0).any(axis=0)
    return [int(index) for index in np.flatnonzero(both)]


def mean_average_precision(logits: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
    """Mean over the classes that have both signs, of which there is at least one.

    Args:
        logits: (N, C).
        labels: (N, C), 1, 0 or NaN (ignored).
    """
    # Imported here, for it takes a second.
    from sklearn.metrics import average_precision_score

    # Of a network that diverges the loss tells, at the next step.
    finite = np.nan_to_num(logits)
    scores = []
    for index in defined_classes(labels):
        known = ~np.isnan(labels[:, index])
        scores.append(average_precision_score(labels[known, index], finite[known, index]))
    return float(np.mean(scores))
