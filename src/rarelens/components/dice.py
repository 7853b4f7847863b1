"""Mean Dice of label maps, for choices made on validation cases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mean_dice(predicted: NDArray[Any], truth: NDArray[Any], classes: Iterable[int]) -> float:
    """Mean Dice over ``classes``; one that is in neither label map counts as 1."""
    scores = []
    for label in classes:
        p, t = predicted == label, truth == label
        total = p.sum() + t.sum()
        scores.append(2 * (p & t).sum() / total if total else 1.0)
    return float(np.mean(scores))
