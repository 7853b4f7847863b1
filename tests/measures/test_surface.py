from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from rarelens.measures.surface import surface_measures

SPACING = (0.7, 1.5, 3.0)


def surface_points(mask: np.ndarray) -> np.ndarray:
    """Voxels with one of the six face neighbours outside the mask, in mm."""
    points = []
    for voxel in itertools.product(*(range(n) for n in mask.shape)):
        neighbours = [
            tuple(np.add(voxel, step)) for step in np.vstack([np.eye(3), -np.eye(3)]).astype(int)
        ]
        inside = [
            all(0 <= i < n for i, n in zip(near, mask.shape, strict=True)) and mask[near]
            for near in neighbours
        ]
        if mask[voxel] and not all(inside):
            points.append(voxel)
    return np.array(points) * SPACING


def brute_force(predicted: np.ndarray, truth: np.ndarray, tolerance: float) -> list[float]:
    distances = cdist(surface_points(predicted), surface_points(truth))
    there, back = distances.min(axis=1), distances.min(axis=0)
    both = np.concatenate([there, back])
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    return [hd95, both.mean(), (both <= tolerance).mean()]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [1.1, 2.6])
def test_measures_equal_brute_force_with_anisotropic_spacing(seed: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    predicted, truth = np.zeros((2, 8, 7, 6), dtype=bool)
    predicted[1:6, 0:5, 2:6] = rng.random((5, 5, 4)) < 0.8
    truth[2:8, 2:6, 1:5] = rng.random((6, 4, 4)) < 0.9
    found = surface_measures(predicted, truth, SPACING, tolerance)
    np.testing.assert_allclose(found, brute_force(predicted, truth, tolerance), rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_voxel_apart_is_one_spacing_of_that_axis(axis: int) -> None:
    truth = np.zeros((4, 4, 4), dtype=bool)
    truth[1, 1, 1] = True
    moved = np.roll(truth, 1, axis=axis)
    found = surface_measures(moved, truth, SPACING, tolerance=SPACING[axis])
    assert found.hd95 == pytest.approx(SPACING[axis])
    assert found.assd == pytest.approx(SPACING[axis])
    assert found.surface_dice == 1.0  # exactly at the tolerance counts as within it
    assert surface_measures(moved, truth, SPACING, SPACING[axis] * 0.99).surface_dice == 0.0


def test_equal_masks_are_at_no_distance() -> None:
    mask = np.random.default_rng(0).random((5, 5, 5)) < 0.5
    assert surface_measures(mask, mask, SPACING, 0.1) == (0.0, 0.0, 1.0)
