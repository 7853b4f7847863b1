"""Logit shift: how the margins of a class differ between training and test subjects.

The margin of a voxel of true class c is d = z_c − max_{k≠c} z_k; below 0 it is misclassified
(Li, Kamnitsas, Glocker, IEEE TMI 2021). Means and negative fractions are exact. Medians and
quantiles are read from fine histograms, and are off by at most one bin width; the Wasserstein
distance likewise.

Intervals are percentile intervals of a bootstrap over subjects, not voxels: the subjects of each
side that hold the class are drawn with replacement, and their voxels pooled. With a single
training subject the training side has no spread, and the interval is that of the test side alone.

A Wasserstein distance is never negative, and that of two resampled sides is larger than that of
the sides themselves: its interval leans upwards, may leave the estimate out, and says nothing
about a shift by lying above 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from rarelens.measures.histograms import (
    Bins,
    Floats,
    Moments,
    pooled_standard_deviation,
    quantile_from_histogram,
    wasserstein_from_histograms,
)

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
INTERVALS = ("mean", "median", "negative_fraction", "standardised_difference", "wasserstein")
CHUNK = 4_000_000  # Entries of a replicates × bins matrix that are held at once.


class Resampling(Protocol):
    """What the settings of an analysis say of its bootstrap."""

    @property
    def bootstrap(self) -> int:
        """Number of replicates."""

    @property
    def confidence(self) -> float:
        """Share of the replicates within an interval."""

    @property
    def seed(self) -> int:
        """Of the random numbers."""


@dataclass(frozen=True)
class Side:
    """Margins of one class on one side, over S subjects or, pooled, B replicates.

    ``bins`` (K,) and ``width`` are shared by both sides; ``counts`` is (S or B, K).
    """

    moments: Moments
    counts: Floats
    bins: Bins
    width: float

    @property
    def subjects(self) -> int:
        """S."""
        return len(self.counts)

    def pooled(self, weights: Floats) -> Side:
        """Pool subjects: ``weights`` is (B, S), how often each subject counts."""
        # Counts are whole numbers below 2^53: their matrix product is exact in any order.
        counts = weights @ self.counts
        return Side(self.moments.pooled(weights), counts, self.bins, self.width)

    def quantile(self, q: float) -> Floats:
        """Quantile of each replicate, shape (B,)."""
        return quantile_from_histogram(self.bins, self.counts, q, self.width)

    def statistics(self) -> dict[str, Floats]:
        """What one side says on its own, each of shape (B,)."""
        return {
            "mean": self.moments.mean,
            "median": self.quantile(0.5),
            "negative_fraction": self.moments.negative_fraction,
        }


def shift_table(
    moments: pd.DataFrame,
    histograms: pd.DataFrame,
    classes: Sequence[str],
    width: float,
    settings: Resampling,
) -> pd.DataFrame:
    """Train against test side, for each class and statistic.

    Args:
        moments: rows of quantity "margin": case, side, class, count, sum, sum_squares, negative.
        histograms: rows of quantity "margin": case, side, class, bin, count.
        classes: their names.
        width: bin width of ``histograms``.
        settings: replicates, confidence and seed.

    Returns:
        class, class_name, statistic, train, test, difference, ci_low, ci_high. A class without
        voxels on a side keeps its rows, NaN on that side and in the difference.

    Raises:
        ValueError: if the two tables do not count the same voxels.
    """
    rows: list[dict[str, Any]] = []
    for index, name in enumerate(classes):
        train, test = _sides(moments, histograms, index, width)
        rng = np.random.default_rng([settings.seed, index])
        own = _rows(train, test, settings, rng)
        rows += [{"class": index, "class_name": name, **row} for row in own]
    columns = ["class", "class_name", "statistic", "train", "test", "difference"]
    return pd.DataFrame(rows, columns=[*columns, "ci_low", "ci_high"])


def shift_by_case(moments: pd.DataFrame) -> pd.DataFrame:
    """Mean margin and negative fraction per case and class, from rows of quantity "margin"."""
    table = moments[["case", "side", "class", "count"]].reset_index(drop=True)
    table["mean"] = (moments["sum"] / moments["count"]).to_numpy()
    table["negative_fraction"] = (moments["negative"] / moments["count"]).to_numpy()
    return table


def margin_histograms(histograms: pd.DataFrame) -> pd.DataFrame:
    """Margin histograms pooled over the cases of a side: side, class, bin, count."""
    return histograms.groupby(["side", "class", "bin"], sort=True)["count"].sum().reset_index()


def _sides(
    moments: pd.DataFrame, histograms: pd.DataFrame, index: int, width: float
) -> tuple[Side, Side]:
    moments = moments[moments["class"] == index]
    counts = histograms[(histograms["class"] == index) & histograms["side"].isin(["train", "test"])]
    bins = np.unique(counts["bin"].to_numpy(np.int64))

    def side(name: str) -> Side:
        sums = moments[moments["side"] == name].sort_values("case")
        own = counts[counts["side"] == name]
        matrix = np.zeros((len(sums), len(bins)))
        rows = pd.Index(sums["case"]).get_indexer(own["case"])
        matrix[rows, np.searchsorted(bins, own["bin"])] = own["count"]
        if not np.array_equal(matrix.sum(axis=1), sums["count"]):
            raise ValueError(
                f"class {index}, side {name}: the extract's histograms and moments count "
                "different voxels; rerun extract"
            )
        fields = (sums[column] for column in ("count", "sum", "sum_squares", "negative"))
        return Side(Moments(*(f.to_numpy(np.float64) for f in fields)), matrix, bins, width)

    return side("train"), side("test")


def _rows(
    train: Side, test: Side, settings: Resampling, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    whole_train, whole_test = (side.pooled(np.ones((1, side.subjects))) for side in (train, test))
    before, after = whole_train.statistics(), whole_test.statistics()
    intervals = _intervals(train, test, settings, rng)
    undefined = np.full(1, np.nan)
    for statistic, gap in _differences(whole_train, whole_test).items():
        yield {
            "statistic": statistic,
            "train": float(before.get(statistic, undefined)[0]),
            "test": float(after.get(statistic, undefined)[0]),
            "difference": float(gap[0]),
            "ci_low": intervals[statistic][0],
            "ci_high": intervals[statistic][1],
        }
    for statistic, q in QUANTILES.items():
        low, high = (float(side.quantile(q)[0]) for side in (whole_train, whole_test))
        values = {"train": low, "test": high, "difference": high - low}
        yield {"statistic": statistic, **values, "ci_low": np.nan, "ci_high": np.nan}


def _differences(train: Side, test: Side) -> dict[str, Floats]:
    """Test against train side, each of shape (B,); NaN where a side is empty."""
    before, after = train.statistics(), test.statistics()
    gaps = {name: after[name] - before[name] for name in before}
    deviation = pooled_standard_deviation(train.moments, test.moments)
    gaps["standardised_difference"] = gaps["mean"] / np.where(deviation > 0, deviation, np.nan)
    gaps["wasserstein"] = wasserstein_from_histograms(
        train.bins, train.counts, test.counts, train.width
    )
    return gaps


def _intervals(
    train: Side, test: Side, settings: Resampling, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Percentile interval of each difference; NaN where a side has no subject."""
    if not (train.subjects and test.subjects):
        return dict.fromkeys(INTERVALS, (np.nan, np.nan))
    train_weights, test_weights = (_draws(side.subjects, settings, rng) for side in (train, test))
    step = max(1, CHUNK // len(train.bins))
    parts = [
        _differences(
            train.pooled(train_weights[start : start + step]),
            test.pooled(test_weights[start : start + step]),
        )
        for start in range(0, settings.bootstrap, step)
    ]
    tail = (1 - settings.confidence) / 2
    bounds = {
        name: np.quantile(np.concatenate([part[name] for part in parts]), [tail, 1 - tail])
        for name in INTERVALS
    }
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def _draws(subjects: int, settings: Resampling, rng: np.random.Generator) -> Floats:
    """How often each subject is drawn in each replicate, (B, S)."""
    even = np.full(subjects, 1 / subjects)
    return rng.multinomial(subjects, even, size=settings.bootstrap).astype(np.float64)
