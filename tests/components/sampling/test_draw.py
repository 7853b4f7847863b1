"""Batches from weights."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.components.sampling import draw

UNIFORM = np.full(10, 1 / 10)
SKEWED = np.array([0.5, 0.25, 0.125, 0.125, 0.0])


def steps(weights, batch_size, number, seed=3):
    return np.concatenate([draw(weights, batch_size, seed, step) for step in range(number)])


@pytest.mark.parametrize("batch_size", [1, 3, 10, 25])
def test_uniform_weights_draw_every_image_once_in_each_pass(batch_size):
    drawn = steps(UNIFORM, batch_size, 30)
    passes = drawn[: len(drawn) // 10 * 10].reshape(-1, 10)
    assert (np.sort(passes, axis=1) == np.arange(10)).all()
    assert len({tuple(order) for order in passes}) == len(passes)


@pytest.mark.parametrize("batch_size", [3, 7, 25])
def test_the_passes_do_not_depend_on_the_batch_size(batch_size):
    number = 175 // batch_size
    ones = steps(UNIFORM, 1, number * batch_size)
    np.testing.assert_array_equal(steps(UNIFORM, batch_size, number), ones)


@pytest.mark.parametrize("weights", [UNIFORM, SKEWED], ids=["uniform", "skewed"])
def test_a_batch_is_a_function_of_seed_and_step(weights):
    later = draw(weights, 4, 3, 7)
    steps(weights, 4, 5)
    np.testing.assert_array_equal(draw(weights, 4, 3, 7), later)
    others = [draw(weights, 40, seed, step) for seed, step in [(3, 7), (4, 7), (3, 8)]]
    assert not np.array_equal(others[0], others[1])
    assert not np.array_equal(others[0], others[2])


@pytest.mark.parametrize("weights", [UNIFORM, SKEWED], ids=["uniform", "skewed"])
def test_a_batch_holds_positions(weights):
    batch = draw(weights, 17, 0, 5)
    assert batch.shape == (17,)
    assert batch.dtype == np.int64
    assert batch.min() >= 0
    assert batch.max() < len(weights)


def test_other_weights_draw_each_image_by_its_weight():
    drawn = steps(SKEWED, 8, 2500)
    shares = np.bincount(drawn, minlength=5) / 20_000
    deviations = np.sqrt(SKEWED * (1 - SKEWED) / 20_000)
    assert (np.abs(shares - SKEWED) <= 4.5 * deviations).all()
    assert shares[4] == 0


def test_other_weights_draw_with_replacement_and_independently():
    """Half of the draws are image 0, so two of them in a row are so a quarter of the time."""
    pairs = steps(SKEWED, 2, 10_000).reshape(-1, 2)
    assert np.mean((pairs == 0).all(axis=1)) == pytest.approx(0.25, abs=0.02)
    following = steps(SKEWED, 1, 10_000).reshape(-1, 2)
    assert np.mean((following == 0).all(axis=1)) == pytest.approx(0.25, abs=0.03)


def test_seeds_and_steps_do_not_coincide_between_passes():
    """Pass 1 of seed 0 is not pass 0 of seed 1."""
    first, second = steps(UNIFORM, 10, 2, seed=0), steps(UNIFORM, 10, 2, seed=1)
    assert not np.array_equal(first[10:], second[:10])
