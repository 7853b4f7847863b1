"""Intervals and p over seeds and patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rarelens.measures.statistics.estimates import draw_seeds, sampled, student


def test_an_estimate_is_the_mean_of_the_seeds_and_its_interval_that_of_the_draws():
    draws = np.linspace(-1, 3, 401)
    values = np.concatenate([[1.0], draws])[:, None, None] + np.zeros((1, 1, 1))
    (found,) = sampled(values, draw_seeds(1, 401, 0), 0.9)
    assert (found.mean, found.low, found.high) == pytest.approx((1.0, -0.8, 2.8))
    # 101 draws are at 0 or below.
    assert found.p == pytest.approx(2 * 102 / 402)


def test_seeds_that_disagree_widen_the_interval():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (501, 1, 1))
    agreeing, apart = (noise + np.array([[[-s], [0.0], [s]]]).reshape(1, 3, 1) for s in (0.0, 1.0))
    by_seed = draw_seeds(3, 500, 0)
    one, other = (sampled(values, by_seed, 0.95)[0] for values in (agreeing, apart))
    assert one.high - one.low < 0.1
    assert other.high - other.low > 1
    assert other.spread == pytest.approx(1)


def test_an_undefined_seed_or_draw_stays_out():
    values = np.ones((11, 2, 2))
    values[:, 1, 0] = np.nan
    values[3:, :, 1] = np.nan
    values[0, :, 1] = 1
    first, second = sampled(values, draw_seeds(2, 10, 0), 0.95)
    assert (first.mean, first.low, first.high, first.seeds) == (1, 1, 1, 1)
    assert (second.mean, second.low, second.seeds) == (1, 1, 2)
    (none,) = sampled(np.full((11, 2, 1), np.nan), draw_seeds(2, 10, 0), 0.95)
    assert np.isnan(none.mean)
    assert none.seeds == 0


def test_no_difference_at_all_has_p_1():
    (found,) = sampled(np.zeros((101, 3, 1)), draw_seeds(3, 100, 0), 0.95)
    assert (found.p, found.low, found.high) == (1, 0, 0)


def test_student_is_the_one_sample_t_test():
    values = np.array([1.0, 2.0, 4.0, np.nan])
    found = student(values, 0.9)
    reference = stats.ttest_1samp(values[:3], 0)
    assert found.p == pytest.approx(reference.pvalue)
    interval = reference.confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.seeds, found.sufficient) == (3, True)


@pytest.mark.parametrize(("values", "p"), [([0, 0, 0], 1), ([2, 2, 2], np.nan), ([1, 3], np.nan)])
def test_student_says_nothing_without_spread_or_with_two_seeds(values, p):
    found = student(np.array(values, dtype=float), 0.95)
    assert found.p == pytest.approx(p, nan_ok=True)
    assert np.isnan(found.low)
    assert found.mean == np.mean(values)
