"""The scores of an extract as arrays, and the classes' place between head and tail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.measures.arrays import ratio
from rarelens.studies.settings.classification.stages import AnalyseClassification

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Labels (1, 0 or NaN) and logits, (n, C) each, with a group for each of the n images."""

    groups: NDArray[np.object_]
    labels: Array
    logits: Array

    @classmethod
    def of(cls, table: pd.DataFrame, classes: int) -> Scores:
        """The rows of a ``scores.parquet``."""
        labels, logits = (
            table[[f"{kind}_{index}" for index in range(classes)]].to_numpy(np.float64)
            for kind in ("label", "logit")
        )
        return cls(table["group"].to_numpy(object), labels, logits)

    @property
    def prevalence(self) -> Array:
        """Share of positives among the known labels of each class, (C,); NaN without any."""
        known = np.isfinite(self.labels).sum(axis=0)
        return ratio(np.nansum(self.labels, axis=0), known)


def read_scores(folder: Path) -> pd.DataFrame:
    """The ``scores.parquet`` of an extract or analysis."""
    return pd.read_parquet(folder / "scores.parquet")


def class_groups(prevalence: Array, settings: AnalyseClassification) -> list[str]:
    """Of each class, "head", "mid" or "tail" by its prevalence among the training images.

    "head" is above ``head_above``, "tail" below ``tail_below`` or without any known label.
    """

    def group(share: float) -> str:
        if share > settings.head_above:
            return "head"
        return "mid" if share >= settings.tail_below else "tail"

    return [group(share) for share in prevalence]
