"""Axial slices of one virtual subject: the template warped at the slices alone.

A whole volume is not needed for a few pictures: the elastic displacement is drawn on a grid as
coarse as its smoothness allows, and the template sampled where the slices lie.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from rarelens.studies.data.simulation.anatomy import (
    Anatomy,
    Template,
    draw_linear,
    smooth_noise,
    warp,
)
from rarelens.studies.settings.datasets import VirtualSubjects

T = TypeVar("T", bound=np.generic)

SMALLEST = 0.6  # area of the template's smallest slice to be drawn, a share of the largest
CELLS = 3  # of the elastic grid to one standard deviation of its smoothing


def draw_slices(
    template: Template, settings: VirtualSubjects, count: int, rng: np.random.Generator
) -> Anatomy:
    """Draw a subject and cut ``count`` axial slices at random heights through its brain.

    Returns:
        Anatomy with arrays (``count``, rows, columns), seen as radiologists do: the nose at the
        top, the subject's right side at the left. The canvas, the template's grid, is the same
        for all subjects.
    """
    heights = rng.uniform(*_range(template), count)
    linear = draw_linear(settings, rng)
    width, depth, _ = template.shape
    plane = np.indices((width, depth, count)).astype(np.float64)
    grid = np.stack([plane[0], plane[1], np.broadcast_to(heights, plane[0].shape)])
    drawn = warp(template, settings, linear, grid, _elastic(template, settings, grid, rng))
    return Anatomy(_seen(drawn.image), _seen(drawn.brain), _seen(drawn.tissue))


def _seen(planes: NDArray[T]) -> NDArray[T]:
    """From (X, Y, slices) to (slices, rows, columns): +Y up, +X to the left."""
    return np.ascontiguousarray(planes[::-1, ::-1].T)


def _range(template: Template) -> tuple[float, float]:
    """The lowest and highest slice, in voxels of the subjects' grid."""
    areas = template.brain.sum((0, 1))
    large = np.flatnonzero(areas >= SMALLEST * areas.max())
    spacing, start = template.affine[2, 2:]
    low, high = (large[[0, -1]] + template.origin[2] - start) / spacing
    return float(low), float(high)


def _elastic(
    template: Template,
    settings: VirtualSubjects,
    grid: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Smooth displacement in mm at each place of ``grid`` (3, X, Y, N)."""
    step = max(settings.warp_smoothness / (CELLS * settings.spacing), 1.0)  # voxels
    shape = tuple(int(np.ceil(size / step)) + 1 for size in template.shape)
    sigma = settings.warp_smoothness / settings.spacing / step
    fields = [smooth_noise(shape, sigma, rng) for _ in range(3)]
    return settings.warp * np.stack(
        [map_coordinates(field, grid / step, order=1) for field in fields]
    )
