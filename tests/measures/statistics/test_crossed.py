"""Tests that hold for the next training and the next patient: by hand, by loops, on null data."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.formula.api import ols

from rarelens.measures.statistics import crossed_difference, crossed_statistic


def null_study(rng: np.random.Generator, seeds: int, patients: int, by_seed: float) -> np.ndarray:
    """Differences without any effect: seed, patient and residual spreads as seen on real data."""
    return (
        by_seed * rng.normal(size=(seeds, 1))
        + 0.025 * rng.normal(size=(1, patients))
        + 0.04 * rng.normal(size=(seeds, patients))
    )


def test_three_seeds_and_two_patients_by_hand() -> None:
    found = crossed_difference([[0.1, 0.3], [0.2, 0.2], [0.3, 0.4]])
    # Means of seeds .2 .2 .35, of patients .2 .3: MS_S = 2·.015/2, MS_I = 3·.005/1, MS_E = .01/2.
    variance = (0.015 + 0.015 - 0.005) / 6
    freedom = 0.025**2 / (0.015**2 / 2 + 0.015**2 + 0.005**2 / 2)
    assert found.mean == pytest.approx(0.25)
    assert found.freedom == pytest.approx(freedom)
    assert found.error is not None
    assert found.error.size == pytest.approx(math.sqrt(variance))
    assert found.error.parts == (
        pytest.approx((math.sqrt(0.015 / 6), 2)),
        pytest.approx((math.sqrt(0.01 / 6), 1)),
    )


def test_mean_squares_are_those_of_a_two_way_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    values = null_study(rng, 4, 9, 0.03) + 0.01
    table = pd.DataFrame(values).melt(ignore_index=False).reset_index()
    table.columns = ["seed", "patient", "value"]
    squares = sm.stats.anova_lm(ols("value ~ C(seed) + C(patient)", table).fit())["mean_sq"]
    seed, patient, residual = squares["C(seed)"], squares["C(patient)"], squares["Residual"]
    error = math.sqrt((seed + max(patient - residual, 0)) / 36)
    found = crossed_difference(values)
    assert found.error is not None
    assert found.error.size == pytest.approx(error)
    assert [part.freedom for part in found.error.parts] == [3, 8]


def test_without_a_spread_over_patients_it_is_students_t_over_seeds() -> None:
    values = np.repeat([[0.01], [0.03], [0.05]], 7, axis=1)
    found = crossed_difference(values)
    expected = stats.ttest_1samp([0.01, 0.03, 0.05], 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.freedom == pytest.approx(2)


def test_seeds_of_opposite_sign_are_no_difference() -> None:
    # Per seed the difference is clear; over seeds there is none.
    rng = np.random.default_rng(1)
    values = np.array([[0.05], [-0.05], [0.01]]) + 0.01 * rng.normal(size=(3, 60))
    assert stats.wilcoxon(values[0]).pvalue < 1e-6
    assert crossed_difference(values).p > 0.5


@pytest.mark.parametrize(("seeds", "most"), [(3, 0.08), (5, 0.065), (10, 0.06)])
@pytest.mark.parametrize("by_seed", [0.0, 0.01, 0.03])
def test_level_on_null_data(seeds: int, most: float, by_seed: float) -> None:
    rng = np.random.default_rng([seeds, int(1000 * by_seed)])
    p = [crossed_difference(null_study(rng, seeds, 60, by_seed)).p for _ in range(1000)]
    assert 0.01 < np.mean(np.array(p) < 0.05) < most + 0.014  # two standard errors


def test_the_statistics_form_agrees_with_the_means_form_on_means() -> None:
    rng = np.random.default_rng(3)
    values = null_study(rng, 5, 40, 0.02)
    draws = rng.multinomial(40, np.full(40, 1 / 40), size=4000) / 40
    found = crossed_statistic(values.mean(axis=1), draws @ values.T, 40)
    expected = crossed_difference(values)
    assert found.mean == pytest.approx(expected.mean)
    assert found.high - found.low == pytest.approx(expected.high - expected.low, rel=0.1)


def test_few_patients_are_known_as_a_variance_of_few_is() -> None:
    """A seed's variance of nothing: the interval is Student's t of the patients' mean."""
    rng = np.random.default_rng(5)
    values = np.tile(rng.normal(size=6), (3, 1))
    draws = rng.multinomial(6, np.full(6, 1 / 6), size=20000) / 6
    found = crossed_statistic(values.mean(axis=1), draws @ values.T, 6)
    expected = stats.t.interval(0.95, 5, loc=values[0].mean(), scale=stats.sem(values[0]))
    assert (found.low, found.high) == pytest.approx(expected, rel=0.03)
    assert found.freedom == pytest.approx(5)
    assert math.isnan(crossed_statistic(values.mean(axis=1), draws @ values.T, 1).low)


def test_patients_and_seeds_without_values_are_left_out() -> None:
    rng = np.random.default_rng(4)
    values = null_study(rng, 3, 8, 0.02)
    padded = np.full((4, 10), np.nan)
    padded[:3, 1:9] = values
    padded[0, 9] = 5.0  # In one seed only.
    assert crossed_difference(padded) == crossed_difference(values)


def test_two_seeds_and_two_patients_have_the_widest_interval_there_is() -> None:
    """Two Cauchy distributions, whose scales add up."""
    found = crossed_difference([[0.1, 0.5], [0.3, 0.4]])
    assert found.error is not None
    scale = sum(part.size for part in found.error.parts)
    expected = stats.cauchy.interval(0.95, loc=found.mean, scale=scale)
    assert (found.low, found.high) == pytest.approx(expected, rel=0.02)


def test_what_cannot_be_said_is_undefined() -> None:
    assert math.isnan(crossed_difference([[0.1, 0.2, 0.4]]).p)
    assert math.isnan(crossed_difference([[0.1], [0.2], [0.4]]).low)
    assert math.isnan(crossed_difference(np.full((3, 4), np.nan)).mean)
    assert crossed_difference(np.zeros((3, 4))).p == 1
    assert math.isnan(crossed_difference(np.full((3, 4), 0.2)).p)
    with pytest.raises(ValueError, match=r"resamples of shape \(2, 2\)"):
        crossed_statistic([0.1, 0.2, 0.3], np.zeros((2, 2)), 9)
