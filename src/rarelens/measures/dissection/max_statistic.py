"""p-values corrected over all units and concepts of a layer, by the distribution of the maximum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def corrected_p(values: Floats, true: int) -> Floats:
    """Share of assignments whose highest score, over all pairs, is not below a pair's own.

    The maxT procedure of Westfall & Young (Resampling-Based Multiple Testing, 1993), single step:
    the chance of any false detection in a layer is bounded, in as few as 1/level assignments. So
    that no pair dominates the maximum, a score is (value − mean)/(sd + typical sd), over
    assignments; the typical sd, the median of those that are positive, keeps a pair that hardly
    ever meets from scoring high by one chance meeting (Tusher, Tibshirani & Chu, PNAS 2001). All
    assignments are treated alike, the true one included, so that its rank stays uniform.

    Args:
        values: (assignments, ...), of each pair; larger is stronger.
        true: which of them is the true assignment.

    Returns:
        The shape of ``values[true]``.

    Examples:
        >>> corrected_p(np.array([[0.0, 5.0], [1.0, 6.0], [0.0, 5.0], [9.0, 5.0]]), 3)
        array([0.25, 1.  ])
    """
    spread = values.std(axis=0)
    positive = spread[spread > 0]
    typical = np.median(positive) if positive.size else 1.0
    scores = (values - values.mean(axis=0)) / (spread + typical)
    highest = np.sort(scores.reshape(len(scores), -1).max(axis=1))
    below = np.searchsorted(highest, scores[true], "left")
    return np.asarray((len(scores) - below) / len(scores), np.float64)
