"""Means, intervals and tests over training runs and patients: pure functions of arrays.

A claim about a method must hold for the next training and the next patient. Values are arrays
(S, n) of S seeds and n cases or patients, NaN where there is none; where a number is no mean over
patients (AUROC, say), it comes with its values in B resamples of them, (1 + B, S, K).
"""

from rarelens.measures.clusters import Clusters, completed, percentiles
from rarelens.measures.statistics.crossed import Crossed, crossed_difference, crossed_statistic
from rarelens.measures.statistics.equivalence import equivalence, equivalent_within
from rarelens.measures.statistics.error import Error, Part
from rarelens.measures.statistics.estimates import (
    ENOUGH_SEEDS,
    UNDEFINED,
    Estimate,
    mean_alone,
    student,
)
from rarelens.measures.statistics.means import (
    mean_over_seeds,
    patient_means,
    seed_means,
    subject_means,
)
from rarelens.measures.statistics.significance import Record, holm, record

__all__ = [
    "ENOUGH_SEEDS",
    "UNDEFINED",
    "Clusters",
    "Crossed",
    "Error",
    "Estimate",
    "Part",
    "Record",
    "completed",
    "crossed_difference",
    "crossed_statistic",
    "equivalence",
    "equivalent_within",
    "holm",
    "mean_alone",
    "mean_over_seeds",
    "patient_means",
    "percentiles",
    "record",
    "seed_means",
    "student",
    "subject_means",
]
