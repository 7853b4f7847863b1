"""Saliency maps that know nothing, to stand beside every measure of alignment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.alignment import normalise

# Standard deviation of the centre prior, as a share of each side.
CENTRE_SPREAD = 0.25


def centre_prior(size: Sequence[int]) -> NDArray[np.float64]:
    """A Gaussian at the image's centre, σ a quarter of each side, stretched to [0, 1].

    Pathologies lie near the centre more often than not; a map has learnt something where it does
    better than this.

    Example:
        >>> centre_prior((3, 3)).round(2)
        array([[0.  , 0.29, 0.  ],
               [0.29, 1.  , 0.29],
               [0.  , 0.29, 0.  ]])
    """
    axes = ((np.arange(side) + 0.5) / side - 0.5 for side in size)
    rows, columns = (np.exp(-0.5 * (axis / CENTRE_SPREAD) ** 2) for axis in axes)
    return normalise(rows[:, None] * columns)


def uniform(size: Sequence[int]) -> NDArray[np.float64]:
    """The map that is 1 everywhere: its measures are the mask's share of the image, `iobb` 1."""
    return np.ones(tuple(size))
