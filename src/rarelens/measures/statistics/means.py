"""Means of values (seeds, cases) and (seeds, patients) over what is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rarelens.measures.arrays import ratio

Array = NDArray[np.float64]


def patient_means(values: Array, patients: ArrayLike) -> Array:
    """The mean over the cases of each patient, for each seed.

    Cases of one patient are alike: taken for independent, they would make intervals too narrow.
    A paired difference is taken case by case before, so that both methods' cases are the same.

    Args:
        values: (S, n), NaN where a case has no value.
        patients: (n,), the patient of each case.

    Returns:
        (S, P), patients in sorted order; NaN where none of a patient's cases has a value.
    """
    names, codes = np.unique(np.asarray(patients, dtype=object), return_inverse=True)
    present = np.isfinite(values)
    sums, number = np.zeros((2, len(names), len(values)))
    np.add.at(sums, codes, np.where(present, values, 0.0).T)
    np.add.at(number, codes, present.T)
    return ratio(sums, number).T


def seed_means(values: Array) -> Array:
    """Each seed's mean over its patients, (S,); NaN for a seed without any."""
    return np.array([_mean(row) for row in values])


def subject_means(values: Array) -> Array:
    """Each patient's mean over its seeds, (n,); NaN for a patient without any."""
    return np.array([_mean(column) for column in values.T])


def mean_over_seeds(values: Array) -> float:
    """The mean of the seeds' means: a seed with fewer patients weighs as much as another.

    Args:
        values: (S, n).

    Returns:
        NaN where there is no value.
    """
    return _mean(seed_means(values))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
