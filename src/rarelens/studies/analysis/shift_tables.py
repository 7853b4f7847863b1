"""Tables of the voxel-pooled shift, from tables of counted margins; voxels or images alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from rarelens.measures.histograms import Moments
from rarelens.measures.shift import Side, draw_subjects, voxel_pooled_shift


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
    # Parted once: looked through for each class, many classes would take time by their square.
    sums, bins = (dict(iter(table.groupby("class"))) for table in (moments, histograms))
    for index, name in enumerate(classes):
        own_sums, own_bins = sums.get(index, moments[:0]), bins.get(index, histograms[:0])
        sides = _sides(own_sums, own_bins, index, width)
        draws = draw_subjects(sides, settings.bootstrap, [settings.seed, index])
        own = voxel_pooled_shift(*sides, draws, settings.confidence)
        rows += [{"class": index, "class_name": name, **row} for row in own]
    return pd.DataFrame(rows).rename(columns={"low": "ci_low", "high": "ci_high"})


def margin_histograms(histograms: pd.DataFrame) -> pd.DataFrame:
    """Margin histograms pooled over the cases of a side: side, class, bin, count."""
    return histograms.groupby(["side", "class", "bin"], sort=True)["count"].sum().reset_index()


def _sides(
    moments: pd.DataFrame, histograms: pd.DataFrame, index: int, width: float
) -> tuple[Side, Side]:
    counts = histograms[histograms["side"].isin(["train", "test"])]
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
