"""Shapes: each changes the pixels of its mask, in its own way, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from rarelens.studies.data.classification.simulation.shapes import SHAPES, Place

PIXEL = 2.0


def place(radius: float, size: int = 61, inside: np.ndarray | None = None) -> Place:
    """The middle of an empty square of ``size`` pixels."""
    offsets = (np.indices((size, size)) - size // 2) * PIXEL
    return Place(np.ones((size, size), bool) if inside is None else inside, offsets, PIXEL, radius)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([7, seed])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [0.5, 6.0, 20.0])
def test_there_is_always_a_mask_and_no_change_outside_it(shape: str, radius: float) -> None:
    for seed in range(10):
        pattern, mask = SHAPES[shape](place(radius), rng(seed))
        assert mask.any()
        assert np.isfinite(pattern).all()
        assert (pattern[~mask] == 0).all()
        assert np.hypot(*np.argwhere(mask).mean(0) - 30) * PIXEL < max(radius, PIXEL)


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_drawn_outside_the_brain(shape: str) -> None:
    brain = np.zeros((61, 61), bool)
    brain[:, :32] = True
    pattern, mask = SHAPES[shape](place(20.0, inside=brain), rng(0))
    assert mask.any()
    assert not (mask & ~brain).any()
    assert (pattern[~brain] == 0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_larger_radius_makes_a_larger_finding(shape: str) -> None:
    areas = [
        np.mean([SHAPES[shape](place(radius), rng(seed))[1].sum() for seed in range(20)])
        for radius in (6.0, 12.0, 24.0)
    ]
    assert areas == sorted(areas)
    assert areas[0] < areas[-1]


@pytest.mark.parametrize("shape", ["mass", "nodule", "ring", "speckles", "streak"])
def test_bright_findings_only_brighten(shape: str) -> None:
    pattern, mask = SHAPES[shape](place(12.0), rng(1))
    assert (pattern[mask] > 0).all()
    assert pattern.max() > 0.6
    assert pattern.max() <= 1


def test_a_shadow_only_darkens() -> None:
    pattern, mask = SHAPES["shadow"](place(20.0), rng(1))
    assert (pattern[mask] < 0).all()
    assert pattern.min() >= -1


def test_a_nodule_is_a_disc_and_a_mass_is_not() -> None:
    circle = np.pi * 12.0**2
    _, disc = SHAPES["nodule"](place(12.0), rng(0))
    assert disc.sum() * PIXEL**2 == pytest.approx(circle, rel=0.15)
    np.testing.assert_array_equal(disc, disc.T)
    masks = [SHAPES["mass"](place(12.0), rng(seed))[1] for seed in range(20)]
    assert np.mean([(mask != disc).sum() for mask in masks]) > 0.15 * disc.sum()


def test_a_ring_leaves_its_centre_and_a_cavity_darkens_it() -> None:
    ring, mask = SHAPES["ring"](place(16.0), rng(0))
    assert ring[30, 30] == 0
    _, pieces = label(~mask)
    assert pieces == 2  # outside and centre
    cavity, _ = SHAPES["cavity"](place(16.0), rng(0))
    assert cavity[30, 30] == -1
    assert cavity.max() > 0.3


def test_speckles_are_many_and_small() -> None:
    _, mask = SHAPES["speckles"](place(30.0), rng(0))
    _, pieces = label(mask)
    assert pieces >= 5
    assert mask.sum() / pieces < 8


def test_a_streak_is_long_and_thin() -> None:
    _, mask = SHAPES["streak"](place(24.0), rng(0))
    where = np.argwhere(mask) * PIXEL
    long, thin = np.sqrt(np.linalg.eigvalsh(np.cov(where.T)))[::-1]
    assert long == pytest.approx(2 * 24.0 / np.sqrt(12), rel=0.2)  # a uniform bar of twice r
    assert long > 3 * thin


def test_mottling_is_noise_that_keeps_the_mean() -> None:
    half = np.zeros((61, 61), bool)
    half[:, :31] = True
    for inside in (None, half):
        pattern, mask = SHAPES["mottling"](place(16.0, inside=inside), rng(0))
        assert pattern[mask].mean() == pytest.approx(0, abs=1e-12)
        assert pattern[mask].std() == pytest.approx(1)
        assert (pattern[mask] != 0).all()


def test_a_shadow_opens_like_a_wedge() -> None:
    for seed in range(10):
        _, mask = SHAPES["shadow"](place(20.0), rng(seed))
        where = np.argwhere(mask) * PIXEL
        centred = where - where.mean(0)
        axis = centred[np.hypot(*centred.T).argmax()]
        along = centred @ axis / np.hypot(*axis)
        # Towards its tip a wedge is longer than towards its base.
        assert abs(along.min()) != pytest.approx(along.max(), rel=0.05)
        assert mask.sum() * PIXEL**2 > 0.3 * 20.0**2
