"""Intervals and p over seeds and patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rarelens.measures.statistics import (
    bootstrap_means,
    bootstrap_resampled,
    mean_alone,
    student,
)

NAN = float("nan")


def test_an_estimate_is_the_mean_of_the_seeds_and_its_interval_that_of_the_draws():
    draws = np.linspace(-1, 3, 401)
    values = np.concatenate([[1.0], draws])[:, None, None] + np.zeros((1, 1, 1))
    (found,) = bootstrap_resampled(values, 0.9, 0)
    assert (found.mean, found.low, found.high) == pytest.approx((1.0, -0.8, 2.8))
    # 101 draws are at 0 or below.
    assert found.p == pytest.approx(2 * 102 / 402)


def test_seeds_that_disagree_widen_the_interval():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (501, 1, 1))
    agreeing, apart = (noise + np.array([[[-s], [0.0], [s]]]).reshape(1, 3, 1) for s in (0.0, 1.0))
    one, other = (bootstrap_resampled(values, 0.95, 0)[0] for values in (agreeing, apart))
    assert one.high - one.low < 0.1
    assert other.high - other.low > 1
    assert other.spread == pytest.approx(1)


def test_an_undefined_seed_or_draw_stays_out():
    values = np.ones((11, 2, 2))
    values[:, 1, 0] = np.nan
    values[3:, :, 1] = np.nan
    values[0, :, 1] = 1
    first, second = bootstrap_resampled(values, 0.95, 0)
    assert (first.mean, first.low, first.high, first.seeds) == (1, 1, 1, 1)
    assert (second.mean, second.low, second.seeds) == (1, 1, 2)
    (none,) = bootstrap_resampled(np.full((11, 2, 1), np.nan), 0.95, 0)
    assert np.isnan(none.mean)
    assert none.seeds == 0


def test_no_difference_at_all_has_p_1():
    (found,) = bootstrap_resampled(np.zeros((101, 3, 1)), 0.95, 0)
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


def test_a_mean_alone_has_a_spread_and_neither_interval_nor_test():
    found = mean_alone(np.array([1.0, 3.0, NAN]))
    assert (found.mean, found.spread, found.seeds) == (2, pytest.approx(np.sqrt(2)), 2)
    assert np.isnan([found.low, found.high, found.p]).all()


def bootstrap(values, draws=2000, confidence=0.95, seed=0):
    return bootstrap_means(np.asarray(values, dtype=float), draws, confidence, seed)


def test_constant_difference_gives_an_interval_of_no_width():
    values = np.full((3, 12), 0.1)
    values[1, 4] = NAN
    interval = bootstrap(values)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((0.1,) * 3, abs=1e-15)
    assert interval.low == interval.high


def test_interval_shrinks_when_subjects_and_seeds_agree():
    noise = np.random.default_rng(1).normal(size=(3, 30))
    wide, narrow = bootstrap(1 + noise), bootstrap(1 + 0.1 * noise)
    ratio = (wide.high - wide.low) / (narrow.high - narrow.low)
    assert ratio == pytest.approx(10, rel=1e-6)
    assert narrow.low < narrow.mean < narrow.high


def test_disagreement_between_seeds_widens_the_interval():
    subjects = np.random.default_rng(2).normal(0, 0.1, size=(1, 40))
    agreeing = np.repeat(subjects, 3, axis=0)
    disagreeing = agreeing + np.array([[-1.0], [0.0], [1.0]])
    same, other = bootstrap(agreeing), bootstrap(disagreeing)
    assert other.high - other.low > 5 * (same.high - same.low)
    assert other.mean == pytest.approx(same.mean)


def test_interval_of_one_seed_is_the_subject_bootstrap():
    values = np.random.default_rng(3).normal(size=(1, 200))
    interval = bootstrap(values, draws=4000)
    standard_error = values.std() / np.sqrt(200)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * standard_error, rel=0.06)


def test_repeated_seeds_do_not_narrow_the_interval_over_the_same_subjects():
    values = np.random.default_rng(4).normal(size=(1, 50))
    once, thrice = bootstrap(values, 4000), bootstrap(np.repeat(values, 3, axis=0), 4000)
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.06)


def test_bootstrap_is_deterministic_and_follows_its_seed():
    values = np.random.default_rng(5).normal(size=(2, 9))
    assert bootstrap(values, seed=7).low == bootstrap(values, seed=7).low
    assert bootstrap(values, seed=7).low != bootstrap(values, seed=8).low


def test_no_value_gives_no_interval():
    found = bootstrap([[NAN, NAN]])
    assert np.isnan([found.mean, found.low, found.high, found.spread]).all()
    assert (found.seeds, found.patients) == (0, 0)


def test_patients_without_a_value_are_not_counted():
    found = bootstrap([[1.0, NAN, NAN], [2.0, 3.0, NAN]])
    assert (found.seeds, found.patients) == (2, 2)
    assert found.spread == pytest.approx(1.5 / np.sqrt(2))
