"""Means over what is there."""

from __future__ import annotations

import numpy as np

from rarelens.measures.statistics import mean_over_seeds, patient_means, seed_means, subject_means

NAN = float("nan")


def test_seeds_weigh_the_same_however_many_subjects_they_have():
    values = np.array([[1.0, 1.0, 1.0, 1.0], [3.0, NAN, NAN, NAN]])
    assert mean_over_seeds(values) == 2
    assert subject_means(values).tolist() == [2, 1, 1, 1]
    assert seed_means(values).tolist() == [1, 3]


def test_cases_of_a_patient_are_averaged_over_those_that_have_a_value():
    values = np.array([[1.0, 5.0, 3.0, 7.0], [2.0, NAN, NAN, 0.0]])
    found = patient_means(values, ["b", "a", "b", "a"])
    np.testing.assert_array_equal(found, [[6.0, 2.0], [0.0, 2.0]])
    assert np.isnan(patient_means(values[1:, 1:2], ["a"])).all()


def test_cases_that_are_patients_of_their_own_stay_as_they_are():
    values = np.random.default_rng(0).normal(size=(3, 20))
    names = [f"case_{n:02d}" for n in range(20)]
    np.testing.assert_array_equal(patient_means(values, names), values)
