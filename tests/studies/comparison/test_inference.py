"""Which test is chosen for which values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarelens.measures.statistics import crossed_difference, crossed_statistic, student
from rarelens.studies.comparison.engine import OneClass
from rarelens.studies.comparison.inference import (
    over_models,
    over_patients,
    over_resamples,
)
from rarelens.studies.settings.results import Compare

SETTINGS = Compare(bootstrap=200, confidence=0.9, equivalence=0.02, least_positives=5, seed=1)
RNG = np.random.default_rng(0)


def test_patients_and_seeds_are_crossed_where_all_have_a_value():
    values = RNG.normal(0.1, 0.2, (4, 9))
    found, expected = over_patients(values, SETTINGS), crossed_difference(values, 0.9)
    assert found[:4] == pytest.approx(expected[:4])
    assert found.error == expected.error
    assert (found.seeds, found.patients) == (4, 9)
    assert found.spread == pytest.approx(values.mean(axis=1).std(ddof=1))


def test_a_patient_and_a_seed_without_any_value_do_not_count():
    values = RNG.normal(size=(4, 9))
    wider = np.full((5, 10), np.nan)
    wider[1:, :9] = values
    assert over_patients(wider, SETTINGS) == over_patients(values, SETTINGS)


def test_seeds_with_patients_of_their_own_are_independent():
    """Training subjects are drawn anew for each seed: the seeds' means alone are tested."""
    values = np.full((4, 40), np.nan)
    for seed, row in enumerate(values):
        row[10 * seed : 10 * seed + 10] = RNG.normal(size=10)
    found = over_patients(values, SETTINGS)
    assert found[:4] == student(np.nanmean(values, axis=1), 0.9)[:4]
    assert found.patients == 40


@pytest.mark.parametrize(("seeds", "patients", "interval", "p"), [
    (3, 5, True, True), (2, 5, True, False), (3, 4, False, False), (1, 9, False, False),
])  # fmt: skip
def test_no_claim_rests_on_two_seeds_and_no_interval_on_few_patients(seeds, patients, interval, p):
    found = over_patients(RNG.normal(size=(seeds, patients)), SETTINGS)
    assert np.isfinite(found.mean)
    assert np.isfinite(found.low) == interval
    assert np.isfinite(found.p) == p


def test_resamples_are_of_every_target():
    values = RNG.normal(size=(301, 3, 2))
    first, second = over_resamples(values, SETTINGS, [9, 4])
    expected = crossed_statistic(values[0, :, 0], values[1:, :, 0], 9, 0.9)
    assert first[:4] == pytest.approx(expected[:4])
    # Of four patients, fewer than least_positives, the mean alone.
    assert second.mean == pytest.approx(values[0, :, 1].mean())
    assert np.isnan(second.low)


def test_what_is_pooled_over_patients_has_no_interval():
    values = RNG.normal(size=4)
    assert over_models(values, False, SETTINGS) == student(values, 0.9)
    assert np.isnan(over_models(values, True, SETTINGS).low)


def test_a_case_that_stands_twice_in_the_table_is_refused():
    rows = pd.DataFrame(
        [("a", 0, "p", "x", 1.0), ("a", 1, "p", "x", 2.0), ("b", 1, "q", "y", 3.0)],
        columns=["method", "seed", "group", "case", "value"],
    )
    read = OneClass.read(rows, ["a", "b"])
    np.testing.assert_array_equal(read.by_method["a"], [[1, np.nan], [2, np.nan]])
    np.testing.assert_array_equal(read.by_method["b"], [[np.nan, np.nan], [np.nan, 3]])
    assert read.patients == ["p", "q"]
    with pytest.raises(ValueError, match="twice"):
        OneClass.read(pd.concat([rows, rows.tail(1)]), ["b"])
