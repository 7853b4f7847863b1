"""Lesions: size, edge and place."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.studies.data.segmentation.simulation.lesions import draw_lesions
from rarelens.studies.settings.segmentation.datasets import Simulate

ONE = Simulate(
    seed=0,
    subjects=1,
    spacing=2.0,
    rotation=0.0,
    scaling=0.0,
    warp=0.0,
    warp_smoothness=10.0,
    bias_field=0.0,
    noise=0.0,
    contrast_change=0.0,
    lesions=(1, 1),
    lesion_radius=(10.0, 10.0),
    lesion_contrast=(0.4, 0.4),
    lesion_dark_share=1.0,
)


def test_volume_is_about_that_of_the_sphere() -> None:
    everywhere = np.ones((60, 60, 60), bool)
    volumes = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        volumes.append(draw_lesions(everywhere, ONE, rng).mask.sum() * 2.0**3)
    # Wide: shapes are irregular, and lesions at the border are cut.
    assert np.median(volumes) == pytest.approx(4 / 3 * np.pi * 10.0**3, rel=0.4)
    assert np.std(volumes) > 0.1 * np.mean(volumes)


def test_change_is_the_contrast_inside_and_partial_at_the_edge() -> None:
    drawn = draw_lesions(np.ones((40, 40, 40), bool), ONE, np.random.default_rng(1))
    assert drawn.change.min() == pytest.approx(-0.4)
    assert drawn.change.max() == 0
    partial = (drawn.change < 0) & (drawn.change > -0.4 + 1e-6)
    assert partial.any()
    np.testing.assert_array_equal(drawn.mask, drawn.change < -0.2)


def test_a_lesion_keeps_to_the_piece_of_tissue_that_holds_its_centre() -> None:
    tissue = np.ones((40, 40, 40), bool)
    tissue[20] = False  # a gap, thinner than the lesion
    for seed in range(20):
        mask = draw_lesions(tissue, ONE, np.random.default_rng(seed)).mask
        assert mask[:20].any() != mask[21:].any()


def test_a_single_voxel_of_tissue_still_holds_a_lesion() -> None:
    tissue = np.zeros((20, 20, 20), bool)
    tissue[0, 19, 7] = True
    mask = draw_lesions(tissue, ONE, np.random.default_rng(0)).mask
    np.testing.assert_array_equal(mask, tissue)
