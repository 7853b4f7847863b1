"""Two one-sided tests: against statsmodels, and by the interval."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from rarelens.measures.statistics import equivalence, equivalent_within, student
from rarelens.measures.statistics.estimates import UNDEFINED


@pytest.mark.parametrize("mean", [-0.015, 0.0, 0.004, 0.03])
def test_is_statsmodels_for_one_sample(mean):
    values = np.random.default_rng(3).normal(mean, 0.01, 7)
    expected = DescrStatsW(values).ttost_mean(-0.02, 0.02)[0]
    assert equivalence(student(values, 0.95), 0.02) == pytest.approx(expected)


def test_is_significant_just_where_the_ninety_per_cent_interval_is_within():
    found = student(np.random.default_rng(1).normal(0.005, 0.01, 6), 0.9)
    within = equivalent_within(found, 0.05)
    assert within == pytest.approx(max(abs(found.low), abs(found.high)))
    assert equivalence(found, within) == pytest.approx(0.05)
    assert equivalence(found, 1.01 * within) < 0.05 < equivalence(found, 0.99 * within)


def test_no_difference_at_all_is_equivalent_and_an_unknown_one_is_not():
    assert equivalence(student(np.zeros(3), 0.95), 1e-9) == 0
    assert equivalent_within(student(np.zeros(3), 0.95), 0.05) == 0
    assert np.isnan(equivalence(UNDEFINED, 0.02))
    assert np.isnan(equivalent_within(student(np.array([0.01, 0.02]), 0.95), 0.05))
