"""A predicted and a true label map of one subject, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.arrays import as_labels

Labels = NDArray[np.integer[Any]]


def paired_maps(
    predicted: Any, truth: Any, classes: int, spacing: Sequence[float] | None
) -> tuple[Labels, Labels, tuple[float, ...]]:
    """Prediction, truth and spacing, as they are measured.

    Args:
        predicted: label map, NumPy or torch.
        truth: label map of the same shape.
        classes: how many there are.
        spacing: voxel size in mm, one number an axis.

    Raises:
        ValueError: if shapes, labels or spacing do not fit.
    """
    said, true = (as_labels(labels, classes) for labels in (predicted, truth))
    if said.shape != true.shape:
        raise ValueError(f"a prediction of shape {said.shape} and a truth of {true.shape}")
    if spacing is None or len(spacing) != true.ndim or not min(spacing) > 0:
        raise ValueError(
            f"label maps of shape {true.shape} need a spacing of {true.ndim} numbers above 0, "
            f"in mm, not {spacing}"
        )
    return said, true, tuple(spacing)
