"""A sum of two Student's t against SciPy, exact identities, and draws; its tails on null data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rarelens.measures.statistics import Error, Part, crossed_difference


def test_one_part_is_students_t() -> None:
    error = Error((Part(0.5, 4),))
    assert error.beyond(1.2) == pytest.approx(stats.t.sf(2.4, 4))
    assert error.reach(0.025) == pytest.approx(0.5 * stats.t.isf(0.025, 4))
    low, high, p = error.interval(0.3, 0.9)
    expected = stats.t.interval(0.9, 4, loc=0.3, scale=0.5)
    assert (low, high) == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.t.sf(0.6, 4))


@pytest.mark.parametrize("distance", [0.0, 0.7, 3.0, 40.0, 1e4])
def test_sums_that_are_known_exactly(distance: float) -> None:
    """Of two Cauchy distributions the scales add up, of two normal ones the variances."""
    cauchy = Error((Part(0.3, 1), Part(0.5, 1)))
    assert cauchy.beyond(distance) == pytest.approx(stats.cauchy.sf(distance, scale=0.8), rel=0.01)
    normal = Error((Part(0.3, math.inf), Part(0.4, math.inf)))
    assert normal.beyond(distance) == pytest.approx(stats.norm.sf(distance, scale=0.5), abs=1e-9)


@pytest.mark.parametrize("sizes", [(1.0, 1.0), (0.2, 1.0), (1.0, 0.2), (0.003, 1.0), (1.0, 1e-4)])
def test_a_sum_of_two_is_the_convolution(sizes: tuple[float, float]) -> None:
    error = Error((Part(sizes[0], 2), Part(sizes[1], 19)))
    rng = np.random.default_rng(0)
    draws = sizes[0] * stats.t.rvs(2, size=10**6, random_state=rng)
    draws += sizes[1] * stats.t.rvs(19, size=10**6, random_state=rng)
    for tail in (0.2, 0.025, 0.002):
        found = error.reach(tail)
        assert error.beyond(found) == pytest.approx(tail, rel=1e-4)
        assert np.mean(draws > found) == pytest.approx(tail, abs=4 * math.sqrt(tail / 10**6))


def test_small_p_are_as_rare_as_they_say() -> None:
    """Three seeds, with patients and seeds that both differ: one t claimed four times too often."""
    rng = np.random.default_rng(0)
    found, single = [], []
    for _ in range(4000):
        values = 0.03 * rng.normal(size=(3, 1)) + 0.025 * rng.normal(size=(1, 60))
        own = crossed_difference(values + 0.03 * rng.normal(size=(3, 60)))
        found.append(own.p)
        assert own.error is not None
        single.append(2 * stats.t.sf(abs(own.mean) / own.error.size, own.freedom))
    assert 0.001 < np.mean(np.array(found) < 0.005) < 0.0075
    assert np.mean(np.array(single) < 0.005) > 0.015
