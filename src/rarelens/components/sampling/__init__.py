"""Samplers, one file each: how likely each image is to be drawn into a batch.

A file's component is a function ``weights(labels)`` of the training subset's labels (N, C), 1, 0
or NaN (ignored), that returns non-negative weights (N,), float64, summing to 1. It is plain NumPy
and knows nothing of the training. `draw` turns weights into batches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw(weights: NDArray[np.float64], batch_size: int, seed: int, step: int) -> NDArray[np.int64]:
    """The images of a batch, a function of the seed and the step alone.

    Equal weights go through all images in passes, each image once in every pass and in a new
    order; a batch may end one pass and begin the next. Other weights draw independently, with
    replacement.

    Args:
        weights: of the images, (N,), summing to 1.
        batch_size: how many to draw.
        seed: of the training.
        step: number of the batch, from 0.

    Returns:
        Positions (batch_size,) in ``weights``.
    """
    number = len(weights)
    if np.ptp(weights) > 0:
        return np.random.default_rng([seed, step]).choice(number, batch_size, p=weights)
    turns = np.arange(step * batch_size, (step + 1) * batch_size)
    passes = turns // number
    orders = [
        np.random.default_rng([seed, turn]).permutation(number)
        for turn in range(passes[0], passes[-1] + 1)
    ]
    batch: NDArray[np.int64] = np.concatenate(orders)[turns - passes[0] * number]
    return batch
