"""Every class alike, then an image of the class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rarelens.components.sampling import balanced_groups

__all__ = ["weights"]


def weights(labels: NDArray[np.floating]) -> NDArray[np.float64]:
    """How likely an image is drawn where first a class is, then one of its positive images.

    Every class with positive images is equally likely; the images without any positive label are
    one further class. An image of several classes can be drawn for each of them. (Class-balanced
    sampling of Kang et al., ICLR 2020, by which classifiers are retrained.)

    Args:
        labels: of the images, (N, C), 1, 0 or NaN.

    Returns:
        Weights (N,) summing to 1.

    Examples:
        >>> weights(np.array([[1.0, 0], [1, 0], [0, 1], [0, 0]])).round(3).tolist()
        [0.167, 0.167, 0.333, 0.333]
    """
    member = balanced_groups(labels)
    shares: NDArray[np.float64] = (member / member.sum(axis=0)).mean(axis=1)
    return shares
