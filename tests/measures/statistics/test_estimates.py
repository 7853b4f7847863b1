"""Intervals and p over seeds and patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rarelens.measures.statistics import (
    mean_alone,
    student,
)

NAN = float("nan")


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
