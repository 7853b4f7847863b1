"""How well the classes are told apart and how far probabilities hold, under many weightings.

All functions work on one class: labels and logits (n,) of the images whose label is known, and
the weights with which a bootstrap draws them. The first weighting is the estimate itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.arrays import ratio
from rarelens.measures.calibration import equal_mass_bins, sigmoid
from rarelens.measures.clusters import Clusters
from rarelens.measures.ranking import ranking

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

RANKED = ("auroc", "average_precision", "average_precision_over_prevalence")
DECIDED = ("recall", "precision", "f1")
CALIBRATED = ("brier", "ece", "brier_calibrated", "ece_calibrated")
MEASURES = (*RANKED, *DECIDED, *CALIBRATED)


@dataclass(frozen=True)
class OneClass:
    """Images ``rows`` (n,) of a side, their labels, logits and corrected logits of a class."""

    rows: Integers
    labels: Array
    logits: Array
    corrected: Array

    @property
    def defined(self) -> bool:
        """Whether both signs are there."""
        return len(np.unique(self.labels)) == 2


def measures(one: OneClass, threshold: float, clusters: Clusters, bins: int) -> dict[str, Array]:
    """All of `MEASURES` of a class under each weighting.

    Args:
        one: the class's images.
        threshold: logit at and above which an image is called positive; may be NaN.
        clusters: groups and weights of the side's images.
        bins: of the expected calibration error.

    Returns:
        Per measure (1 + B,); NaN where it is not defined, which all of them are not where the
        labels have one sign.
    """
    if not one.defined:
        return {name: np.full(len(clusters.weights), np.nan) for name in MEASURES}
    parts = [ranking(one.labels, one.logits, drawn) for drawn in clusters.by_image(one.rows)]
    auroc, precision = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    totals = clusters.sums(np.column_stack([np.ones_like(one.labels), one.labels]), one.rows)
    prevalence = ratio(totals[:, 1], totals[:, 0])
    return {
        "auroc": auroc,
        "average_precision": precision,
        "average_precision_over_prevalence": ratio(precision, prevalence),
        **_decisions(one, threshold, clusters),
        **_calibration(one.labels, one.logits, one.rows, clusters, bins, ""),
        **_calibration(one.labels, one.corrected, one.rows, clusters, bins, "_calibrated"),
    }


def _decisions(one: OneClass, threshold: float, clusters: Clusters) -> dict[str, Array]:
    """Recall, precision (NaN where nothing is called positive) and F1 (then 0)."""
    if np.isnan(threshold):
        return {name: np.full(len(clusters.weights), np.nan) for name in DECIDED}
    called = (one.logits >= threshold).astype(np.float64)
    columns = np.column_stack([called * one.labels, called, one.labels])
    hits, calls, positives = clusters.sums(columns, one.rows).T
    f1 = np.where(positives > 0, ratio(2 * hits, calls + positives), np.nan)
    return {"recall": ratio(hits, positives), "precision": ratio(hits, calls), "f1": f1}


def _calibration(
    labels: Array, logits: Array, rows: Integers, clusters: Clusters, bins: int, suffix: str
) -> dict[str, Array]:
    """Brier score and ECE = Σ_b |Σ p − Σ y| / n over bins of equal mass (Nixon et al., 2019).

    The bins are those of the estimate in every draw. A draw's ECE is larger on average than the
    estimate, for noise within bins adds to it: its interval leans upwards.
    """
    probabilities = sigmoid(logits)
    placed = equal_mass_bins(probabilities, bins)
    gaps = np.eye(bins)[placed] * (probabilities - labels)[:, None]
    columns = np.column_stack([np.ones_like(labels), (probabilities - labels) ** 2, gaps])
    sums = clusters.sums(columns, rows)
    number, squares, by_bin = sums[:, 0], sums[:, 1], sums[:, 2:]
    return {
        f"brier{suffix}": ratio(squares, number),
        f"ece{suffix}": ratio(np.abs(by_bin).sum(axis=1), number),
    }
