"""Images of rare classes more often, up to a cap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rarelens.components.sampling import balanced_groups

__all__ = ["weights"]

PERCENTILE = 75


def weights(labels: NDArray[np.floating]) -> NDArray[np.float64]:
    """The largest 1/n of the groups that an image is in, capped, and normalised to sum 1.

    A group is a class, with its n positive images, or the n images without any positive label.
    The cap is the 75th percentile of 1/n over the groups, so that the images of the rarest classes
    are not repeated without end. (Khakzar et al. 2022, arXiv 2204.01729, whose released code hands
    the weights of the classes to a sampler of images and so draws the first C images only.)

    Args:
        labels: of the images, (N, C), 1, 0 or NaN.

    Returns:
        Weights (N,) summing to 1.
    """
    member = balanced_groups(labels)
    inverse = 1 / member.sum(axis=0)
    capped = np.minimum(inverse, np.percentile(inverse, PERCENTILE))
    largest = (member * capped).max(axis=1)
    normalised: NDArray[np.float64] = largest / largest.sum()
    return normalised
