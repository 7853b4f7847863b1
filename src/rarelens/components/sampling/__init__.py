"""Samplers, one file each: how likely each image is to be drawn into a batch.

See `rarelens.components.contracts.Sampler`. `draw` turns weights into batches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rarelens.components._lazy import exports

__getattr__ = exports(__name__)


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


def balanced_groups(labels: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which groups (N, G) the images are in: the groups that samplers balance.

    An image is in at least one, and none is empty. First the classes, an image being in those
    that it is positive for; last, the images without any positive label.
    """
    positive = labels == 1
    member = np.column_stack([positive, ~positive.any(axis=1)])
    return member[:, member.any(axis=0)]
