"""Lesions of random place, size, irregular smooth shape and contrast, within brain tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from rarelens.studies.data.simulation.anatomy import Mask, Volume, smooth_noise
from rarelens.studies.settings.segmentation.datasets import Simulate

STRETCH = 0.3  # how far each axis of the ellipsoid is stretched or pressed, in log units
ROUGHNESS = 0.25  # how far the surface is pushed in and out, in log units


@dataclass(frozen=True)
class Lesions:
    """All lesions of a subject, both (X, Y, Z).

    Attributes:
        change: what they add to the intensity, as a share of the template's maximum.
        mask: the voxels that they fill by more than half.
    """

    change: Volume
    mask: Mask


def draw_lesions(tissue: Mask, settings: Simulate, rng: np.random.Generator) -> Lesions:
    """Draw a subject's lesions; a later one covers an earlier one where they meet."""
    places = np.argwhere(tissue)
    change = np.zeros(tissue.shape, np.float32)
    mask = np.zeros(tissue.shape, bool)
    for _ in range(rng.integers(settings.lesions[0], settings.lesions[1], endpoint=True)):
        centre = places[rng.integers(len(places))]
        radius = rng.uniform(*settings.lesion_radius) / settings.spacing
        contrast = rng.uniform(*settings.lesion_contrast)
        sign = -1 if rng.random() < settings.lesion_dark_share else 1
        box, filled = _shape(tissue, centre, radius, rng)
        change[box] += filled * (sign * contrast - change[box])
        mask[box] |= filled > 0.5
    return Lesions(change, mask)


def _shape(
    tissue: Mask, centre: NDArray[np.int64], radius: float, rng: np.random.Generator
) -> tuple[tuple[slice, ...], Volume]:
    """One lesion: the box around it, and how far it fills each voxel there (0–1).

    An ellipsoid whose surface is pushed in and out by smooth noise; the edge is one voxel wide,
    as partial volume makes it. Lengths are in voxels.
    """
    reach = int(np.ceil(radius * np.exp(STRETCH + 2 * ROUGHNESS))) + 1
    axes = np.exp(rng.uniform(-STRETCH, STRETCH, 3))
    grid = np.indices((2 * reach + 1,) * 3) - reach
    distance = np.sqrt(((grid / axes.reshape(3, 1, 1, 1)) ** 2).sum(0))
    noise = smooth_noise(distance.shape, max(radius / 2, 0.5), rng)
    filled = np.clip(radius - distance * np.exp(ROUGHNESS * noise) + 0.5, 0, 1)

    lower, upper = centre - reach, centre + reach + 1
    start, stop = np.maximum(lower, 0), np.minimum(upper, tissue.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    inner = tuple(slice(int(a), int(b)) for a, b in zip(start - lower, stop - lower, strict=True))
    filled = filled[inner] * tissue[box]
    # The warped cortex is folded: keep the piece that holds the centre, drop what lies beyond.
    pieces, _ = label(filled > 0)
    return box, (filled * (pieces == pieces[tuple(centre - start)])).astype(np.float32)
