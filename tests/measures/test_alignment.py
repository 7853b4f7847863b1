from itertools import pairwise

import numpy as np
import pytest
import torch

from rarelens.measures import alignment
from rarelens.measures.alignment import (
    centre_prior,
    effective_heat_ratio,
    energy_inside,
    iobb,
    normalise,
    pointing_game,
    soft_iou,
    uniform,
)
from rarelens.measures.upsampling import resize

# The heat is 1 + .5 + .25 + .25 = 2; the mask holds 1 and .25 of it, in 3 pixels.
MAP = np.array([[1.0, 0.5, 0.0], [0.25, 0.25, 0.0]])
MASK = np.array([[True, False, True], [True, False, False]])


def test_measures_by_hand():
    assert pointing_game(MAP, MASK) == 1
    assert energy_inside(MAP, MASK) == pytest.approx(1.25 / 2)
    assert iobb(MAP, MASK) == pytest.approx(1.25 / 3)
    assert soft_iou(MAP, MASK) == pytest.approx(1.25 / (2 + 3 - 1.25))


def test_measures_at_a_threshold_by_hand():
    # Above .3: 1 (inside) and .5 (outside). Above .25, strict: the same.
    for threshold in (0.3, 0.25):
        found = alignment.align(MAP, MASK, [threshold])
        assert found[f"energy_inside@{threshold}"] == pytest.approx(1 / 2)
        assert found[f"iobb@{threshold}"] == pytest.approx(1 / 3)
        assert found[f"iou@{threshold}"] == pytest.approx(1 / 4)


def test_effective_heat_ratio_by_hand():
    # Sorted heat .25 .25 .5 1. u = 0 to .5 keeps all (1.25/2), .6 and .7 keep .5 and 1 (1/1.5),
    # .8 to 1 keep 1 (1/1).
    levels = [1.25 / 2] * 6 + [1 / 1.5] * 2 + [1.0] * 3
    expected = sum((a + b) / 2 * 0.1 for a, b in pairwise(levels))
    assert effective_heat_ratio(MAP, MASK) == pytest.approx(expected)


def test_pointing_game_shares_a_tie():
    values = np.array([[1.0, 1.0], [1.0, 0.0]])
    assert pointing_game(values, [[True, False], [True, True]]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("height", [0.0, 1.0])
def test_constant_map_points_nowhere(height):
    values = np.full((4, 5), height)
    mask = np.zeros((4, 5), bool)
    mask[:2, :2] = True
    assert pointing_game(values, mask) == pytest.approx(0.2)
    for share in (energy_inside, soft_iou, effective_heat_ratio):
        assert share(values, mask) == pytest.approx(0.2 * height)
    assert iobb(values, mask) == height


def test_map_inside_the_mask_has_all_its_heat_there():
    values = MAP * MASK
    assert energy_inside(values, MASK) == effective_heat_ratio(values, MASK) == 1
    assert soft_iou(MASK, MASK) == iobb(MASK, MASK) == 1


def test_empty_mask_is_undefined():
    for name in ("pointing_game", "energy_inside", "iobb", "soft_iou", "effective_heat_ratio"):
        both = getattr(alignment, name)(np.stack([MAP, MAP]), np.stack([MASK, 0 * MASK]))
        assert np.isfinite(both[0])
        assert np.isnan(both[1])


def test_batch_equals_single_maps():
    rng = np.random.default_rng(0)
    maps = normalise(rng.random((5, 6, 7)).round(1))
    masks = rng.random((5, 6, 7)) < 0.3
    for measure in (pointing_game, energy_inside, iobb, soft_iou, effective_heat_ratio):
        single = [measure(*pair) for pair in zip(maps, masks, strict=True)]
        np.testing.assert_array_equal(measure(maps, masks), single)


def test_normalise_constant_maps():
    maps = np.array([np.full((2, 2), 3.0), np.zeros((2, 2)), [[2.0, 4.0], [3.0, 2.0]]])
    expected = [np.ones((2, 2)), np.zeros((2, 2)), [[0, 1], [0.5, 0]]]
    np.testing.assert_array_equal(normalise(maps), expected)


@pytest.mark.parametrize("size", [(12, 15), (7, 11), (3, 2)])
def test_resize_equals_torch(size):
    maps = np.random.default_rng(0).random((2, 4, 5))
    other = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[None], size=size, mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resize(maps, size), other[0].numpy(), rtol=0, atol=1e-12)


def test_constant_map_stays_constant_when_resized():
    values = normalise(resize(np.full((3, 3), np.float16(0.1)), (7, 11)))
    np.testing.assert_array_equal(values, 1)


def test_maps_that_are_not_normalised_are_refused():
    with pytest.raises(ValueError, match="normalise"):
        energy_inside(2 * MAP, MASK)
    with pytest.raises(ValueError, match="shape"):
        energy_inside(MAP, MASK.T)


def test_controls():
    prior = centre_prior((9, 15))
    assert prior[4, 7] == 1
    assert prior.min() == 0
    assert prior[0, 0] == pytest.approx(0)
    np.testing.assert_allclose(prior, prior[::-1, ::-1], atol=1e-12)
    # One standard deviation is a quarter of the side, before the corner is taken as 0.
    corner = np.exp(-0.5 * ((4 / 9 / 0.25) ** 2 + (7 / 15 / 0.25) ** 2))
    at = np.exp(-0.5 * (2 / 9 / 0.25) ** 2)
    assert prior[6, 7] == pytest.approx((at - corner) / (1 - corner))
    assert energy_inside(uniform((2, 3)), MASK) == pytest.approx(0.5)


def test_a_map_that_is_shared_by_all_masks_equals_its_copies():
    rng = np.random.default_rng(1)
    shared, masks = normalise(rng.random((6, 7)).round(1)), rng.random((130, 6, 7)) < 0.3
    broadcast = np.broadcast_to(shared, masks.shape)
    np.testing.assert_array_equal(
        effective_heat_ratio(broadcast, masks), effective_heat_ratio(broadcast.copy(), masks)
    )


@pytest.mark.parametrize("shape", [(0, 4, 5), (2, 0, 4, 5)])
def test_no_maps_have_no_values(shape):
    found = alignment.align(np.zeros(shape), np.zeros(shape, bool), [0.5])
    assert {value.shape for value in found.values()} == {shape[:-2]}
    broadcast = np.broadcast_to(np.zeros((4, 5)), shape)
    assert effective_heat_ratio(broadcast, np.zeros(shape, bool)).shape == shape[:-2]


def test_levels_of_the_heat_are_quantiles_by_numpy():
    # Shares of heat at 11 levels, the mask being the hottest pixel: 1 / (sum of what is left).
    rng = np.random.default_rng(2)
    for number in (1, 2, 10, 11, 37):
        heat = rng.permutation(np.linspace(0.1, 1.0, number)) if number > 1 else np.ones(1)
        levels = np.quantile(heat, np.linspace(0, 1, 11), method="inverted_cdf")
        shares = [heat.max() / heat[heat >= level].sum() for level in levels]
        expected = np.trapezoid(shares, dx=0.1)
        found = effective_heat_ratio(heat[None], (heat == heat.max())[None])
        assert found == pytest.approx(expected)
