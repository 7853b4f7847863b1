"""The shifts of one class, between training and test subjects, with intervals over subjects.

What a margin and the two shifts are stands in `rarelens.measures.margins`. Means and negative
fractions are exact. Medians and quantiles are read from fine histograms, and are off by at most
one bin width; the Wasserstein distance likewise.

Intervals are percentile intervals of a bootstrap over subjects, not voxels: the subjects of each
side that hold the class are drawn with replacement (`draw_subjects`). They speak of other
subjects, not of another training of the network.

A Wasserstein distance is never negative, and that of two resampled sides is larger than that of
the sides themselves: its interval leans upwards, may leave the estimate out, and says nothing
about a shift by lying above 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarelens.measures.histograms import (
    Bins,
    Floats,
    Moments,
    pooled_standard_deviation,
    quantile_from_histogram,
    wasserstein_from_histograms,
)
from rarelens.measures.margins import MarginCounts

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
CHUNK = 4_000_000  # Entries of a replicates × bins matrix that are held at once.


@dataclass(frozen=True)
class Side:
    """Margins of one class on one side, over S subjects or, pooled, B replicates.

    ``bins`` (K,) and ``width`` are shared by both sides; ``counts`` is (S or B, K).
    """

    moments: Moments
    counts: Floats
    bins: Bins
    width: float

    @classmethod
    def pair(
        cls, train: Sequence[MarginCounts], test: Sequence[MarginCounts], width: float
    ) -> tuple[Side, Side]:
        """Both sides of a class, from the counts of the subjects that hold it."""
        empty = np.empty(0, np.int32)
        bins = np.unique(np.concatenate([empty, *(one.bins for one in (*train, *test))]))

        def side(subjects: Sequence[MarginCounts]) -> Side:
            counts = np.zeros((len(subjects), len(bins)))
            for row, one in zip(counts, subjects, strict=True):
                row[np.searchsorted(bins, one.bins)] = one.counts
            sums = np.array([one.moments for one in subjects], np.float64).reshape(-1, 4)
            return cls(Moments(*sums.T), counts, bins, width)

        return side(train), side(test)

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


def draw_subjects(
    sides: tuple[Side, Side], replicates: int, seed: Sequence[int]
) -> tuple[Floats, Floats]:
    """How often each subject of the training and of the test side is drawn, (B, S) each.

    The one place where subjects are resampled: each side for itself, with replacement.
    """
    rng = np.random.default_rng(seed)

    def draws(subjects: int) -> Floats:
        even = np.full(subjects, 1 / subjects)
        return rng.multinomial(subjects, even, size=replicates).astype(np.float64)

    if not all(side.subjects for side in sides):
        return np.empty((0, 0)), np.empty((0, 0))
    return draws(sides[0].subjects), draws(sides[1].subjects)


def subject_mean_shift(
    train: Side, test: Side, draws: tuple[Floats, Floats], confidence: float
) -> dict[str, float | int]:
    """Mean over subjects of their mean margins, test against train; each subject has one vote.

    Args:
        train: the subjects of the training side that hold the class.
        test: those of the test side.
        draws: of `draw_subjects`.
        confidence: share of the replicates within the interval.

    Returns:
        train_mean, test_mean, difference (test − train), low, high: in logits; train_misclassified,
        test_misclassified: means over subjects of the share of their voxels with a margin below 0;
        subjects_train, subjects_test. NaN where a side has no subject; no interval (NaN) where
        one has fewer than two, for the spread over its subjects is unknown then.
    """
    means = [side.moments.mean for side in (train, test)]
    wrong = [side.moments.negative_fraction for side in (train, test)]
    low = high = float("nan")
    if min(train.subjects, test.subjects) > 1:
        drawn = [
            np.einsum("bs,s->b", weights, mean) / len(mean)
            for weights, mean in zip(draws, means, strict=True)
        ]
        low, high = _interval(drawn[1] - drawn[0], confidence)
    before, after = map(_mean, means)
    return {
        "train_mean": before,
        "test_mean": after,
        "difference": after - before,
        "low": low,
        "high": high,
        "train_misclassified": _mean(wrong[0]),
        "test_misclassified": _mean(wrong[1]),
        "subjects_train": train.subjects,
        "subjects_test": test.subjects,
    }


def voxel_pooled_shift(
    train: Side, test: Side, draws: tuple[Floats, Floats], confidence: float
) -> Iterator[dict[str, Any]]:
    """All voxels of the test side against all of the training side, statistic by statistic.

    With a single training subject the training side has no spread, and the interval is that of
    the test side alone.

    Args:
        train: the subjects of the training side that hold the class.
        test: those of the test side.
        draws: of `draw_subjects`.
        confidence: share of the replicates within an interval.

    Yields:
        statistic, train, test, difference, low, high, in logits but for negative_fraction (a share)
        and standardised_difference (a ratio). NaN where a side is empty, for what is not a
        statistic of one side, and for the intervals of quantiles.
    """
    whole_train, whole_test = (side.pooled(np.ones((1, side.subjects))) for side in (train, test))
    before, after = whole_train.statistics(), whole_test.statistics()
    differences = _differences(whole_train, whole_test)
    nowhere = (float("nan"), float("nan"))
    intervals = dict.fromkeys(differences, nowhere)
    if train.subjects and test.subjects:
        intervals = _intervals(train, test, draws, confidence)
    undefined = np.full(1, np.nan)
    for statistic, gap in differences.items():
        sides = (float(own.get(statistic, undefined)[0]) for own in (before, after))
        yield _row(statistic, *sides, float(gap[0]), *intervals[statistic])
    for statistic, q in QUANTILES.items():
        low, high = (float(side.quantile(q)[0]) for side in (whole_train, whole_test))
        yield _row(statistic, low, high, high - low, *nowhere)


def _row(statistic: str, *values: float) -> dict[str, Any]:
    names = ("train", "test", "difference", "low", "high")
    return {"statistic": statistic, **dict(zip(names, values, strict=True))}


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
    train: Side, test: Side, draws: tuple[Floats, Floats], confidence: float
) -> dict[str, tuple[float, float]]:
    step = max(1, CHUNK // len(train.bins))
    parts = [
        _differences(
            train.pooled(draws[0][start : start + step]),
            test.pooled(draws[1][start : start + step]),
        )
        for start in range(0, len(draws[0]), step)
    ]
    return {
        name: _interval(np.concatenate([part[name] for part in parts]), confidence)
        for name in parts[0]
    }


def _interval(replicates: Floats, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return float(low), float(high)


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")
