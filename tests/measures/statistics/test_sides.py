"""The difference of two sides against SciPy's Welch and paired t, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel

from rarelens.measures.statistics.sides import difference_of_sides


def side(start: str, number: int, spread: float) -> dict[str, float]:
    rng = np.random.default_rng(number)
    return {f"{start}{n}": float(rng.normal(number, spread)) for n in range(number)}


def test_welch_where_no_patient_is_on_both_sides() -> None:
    first, second = side("a", 12, 1), side("b", 7, 3)
    test = ttest_ind([*second.values()], [*first.values()], equal_var=False)
    found = difference_of_sides(first, second, 0.9)
    interval = test.confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(test.pvalue)
    assert found.freedom == pytest.approx(test.df)


def test_paired_where_all_are() -> None:
    first = side("a", 9, 1)
    second = {key: value + 0.1 * n for n, (key, value) in enumerate(first.items())}
    found = difference_of_sides(first, dict(reversed(second.items())))
    interval = ttest_rel([*second.values()], [*first.values()]).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize(("one", "other"), [(0, 5), (1, 5), (5, 1)])
def test_no_interval_with_fewer_than_two_patients(one: int, other: int) -> None:
    found = difference_of_sides(side("a", one, 1), side("b", other, 1))
    assert np.isnan(found.mean) == (one == 0)
    assert np.isnan([found.low, found.high, found.p]).all()


def test_no_interval_without_a_spread() -> None:
    found = difference_of_sides({"a": 1.0, "b": 1.0}, {"c": 2.0, "d": 2.0})
    assert found.mean == 1
    assert np.isnan(found.low)
