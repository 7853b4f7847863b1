"""Volumes of a few test subjects, small enough for a page: image, truth, predictions, margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

MOST_VALUES = 800_000
"""Of all arrays of a subject together: 40³ voxels of image, truth and five methods."""
PADDING = 4
GREYS = 32
STEPS = 15
"""Of the margin on either side of 0."""


@dataclass(frozen=True)
class Shown:
    """What a model says of a case: labels (X, Y, Z), and the margin of the rare classes."""

    prediction: NDArray[np.uint8]
    margin: NDArray[np.float32]


def shown(logits: NDArray[np.float32], rare: Sequence[int]) -> Shown:
    """Prediction and margin: the best of the rare classes minus the best of the others.

    Args:
        logits: (C, X, Y, Z).
        rare: rare classes; neither they nor the others are none.
    """
    is_rare = np.isin(np.arange(len(logits)), rare)
    margin = logits[is_rare].max(0) - logits[~is_rare].max(0)
    return Shown(logits.argmax(0).astype(np.uint8), margin)


def write_case(
    file: Path,
    image: NDArray[Any],
    truth: NDArray[Any],
    affine: NDArray[Any],
    of_methods: Mapping[str, Shown],
    rare: Sequence[int],
) -> None:
    """Save the surroundings of what is labelled or predicted, on a grid of few enough voxels.

    Where the grid is coarser than the prepared one, the image is the mean around each voxel;
    labels and margins are those of the voxel itself, so that what is smaller can vanish.

    Args:
        file: the .npz to write; it holds no case id and no place in space.
        image: (X, Y, Z).
        truth: labels (X, Y, Z).
        affine: (4, 4), of the grid.
        of_methods: in the order of the arrays.
        rare: rare classes.

    The file holds ``image`` (0 to `GREYS` − 1), ``truth``, ``prediction`` and ``margin``, the
    latter two with an axis of methods in front. A margin is −`STEPS` to `STEPS` of ``limit``, of
    the sign of the unrounded one, and clipped there: ``limit`` is the 98th percentile of what
    the methods give the rare structures. ``turned`` (3, 3) is the affine without its offset.
    """
    predictions = np.stack([own.prediction for own in of_methods.values()])
    margins = np.stack([own.margin for own in of_methods.values()])
    box = _box((truth > 0) | (predictions > 0).any(0))
    shape = [one.stop - one.start for one in box]
    strides = _strides(shape, voxel_sizes(affine), MOST_VALUES // (2 + 2 * len(of_methods)))
    grid = tuple(slice(s // 2, None, s) for s in strides)
    known = np.abs(margins[:, np.isin(truth, rare)])
    limit = float(max(1.0, np.percentile(known, 98))) if known.size else 1.0
    smooth = uniform_filter(np.asarray(image[box], np.float32), strides, mode="nearest")
    low, high = np.percentile(image, [0.5, 99.5])
    grey = np.clip((smooth[grid] - low) / max(high - low, 1e-6), 0, 1)
    steps = np.clip(np.ceil(np.abs(margins[:, *box][:, *grid]) / limit * STEPS), 0, STEPS)
    np.savez_compressed(
        file,
        image=np.round(grey * (GREYS - 1)).astype(np.uint8),
        truth=np.asarray(truth[box][grid], np.uint8),
        prediction=predictions[:, *box][:, *grid],
        margin=(np.sign(margins[:, *box][:, *grid]) * steps).astype(np.int8),
        limit=np.float64(limit),
        turned=affine[:3, :3] * np.array(strides),
    )


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The bounding box and some voxels around it; everything if there is nothing."""
    if not mask.any():
        return tuple(slice(0, length) for length in mask.shape)
    box = []
    for places, length in zip(np.nonzero(mask), mask.shape, strict=True):
        start, stop = int(places.min()) - PADDING, int(places.max()) + 1 + PADDING
        box.append(slice(max(0, start), min(length, stop)))
    return tuple(box)


def _strides(shape: Sequence[int], spacing: NDArray[Any], most: int) -> list[int]:
    """Steps along each axis, the finest axis coarsened first, until there are few enough voxels."""
    strides = [1, 1, 1]
    while np.prod([-(-n // s) for n, s in zip(shape, strides, strict=True)]) > most:
        strides[int(np.argmin(spacing * strides))] += 1
    return strides
