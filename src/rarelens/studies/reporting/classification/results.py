"""What the page shows of one dataset, network and fraction of the classification study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from rarelens.studies.cells import Cell
from rarelens.studies.comparison.metrics import read_metrics
from rarelens.studies.files import read_json
from rarelens.studies.reporting.classification.pairs import Pair, pairs_of
from rarelens.studies.reporting.results import (
    AnalysisFiles,
    Arrays,
    Results,
    analysis_files,
    numbered_arrays,
)

REQUIRED = ("reliability.parquet", "shift.parquet", "dissection.parquet")


@dataclass(frozen=True)
class ClassificationResults(Results):
    """Everything that tables and figures show.

    Attributes:
        prevalence: of each class, in the training images; the mean over cells.
        layers: from the first to the last; the last is nearest to the classifier.
        images: how many; of ``training``, ``test`` and ``probe``.
        zero_maps: per method, the share of saliency maps that are 0 everywhere.
        reliability: method, class, calibrated, bin, predicted, observed, count; pooled over seeds.
        shift: method, seed, class, sign, difference of the mean margins.
        detectors: method, layer, class, detectors, beyond_null; mean over seeds.
        panels: per image, of each method arrays image, mask, map, class, logit, boxes.
        examples: per method, of its best detecting units, arrays images, masks, active, layer,
            unit, class, iou; first seed.
        pair_rows: the rows of the comparison of pairs that belong here.
    """

    change: ClassVar[tuple[str, str]] = ("average_precision", "average precision")
    prevalence: tuple[float, ...]
    layers: tuple[str, ...]
    saliency: str
    images: dict[str, int]
    zero_maps: dict[str, float]
    reliability: pd.DataFrame
    shift: pd.DataFrame
    detectors: pd.DataFrame
    examples: dict[str, tuple[Arrays, ...]]
    pair_rows: pd.DataFrame

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs of methods, in the order of the page."""
        return pairs_of(self.pair_rows)

    @property
    def margin(self) -> float:
        """Within which pairs are asked to perform alike."""
        asked = self.pair_rows[self.pair_rows["quantity"] == "performs_alike"]
        return float(asked["value_b"].iloc[0])

    @property
    def by_frequency(self) -> list[int]:
        """The classes, from the most frequent to the rarest."""
        shares = np.nan_to_num(self.prevalence)
        return sorted(range(len(self.classes)), key=lambda class_: -shares[class_])

    def few(self, class_: int) -> bool:
        """Whether a class that has numbers has too few test patients for intervals and tests."""
        row = self.entry(self.baseline, "auroc", self.classes[class_])
        return bool(np.isfinite(row["mean"]) and row["few_positives"] > 0)

    def prevalence_text(self, class_: int) -> str:
        """The prevalence of a class, for people."""
        share = self.prevalence[class_]
        return f"{share:.1%}" if np.isfinite(share) else "undefined"


def read_results(
    cells: Sequence[Cell], analyses: Path, metrics: Path
) -> list[ClassificationResults]:
    """The results of a study, in its order.

    Args:
        cells: the study's models.
        analyses: the folder above ``<task>/<cell>``.
        metrics: the folder of ``classification.csv`` and ``classification_pairs.csv``.

    Raises:
        RarelensError: one sentence for each file that is missing, and where the comparison
            does not cover a cell.
    """
    table = read_metrics(metrics / "classification.csv")
    pairs = read_metrics(metrics / "classification_pairs.csv")
    return [_results(files, table, pairs) for files in analysis_files(cells, analyses, REQUIRED)]


def _results(
    files: AnalysisFiles, metrics: pd.DataFrame, pairs: pd.DataFrame
) -> ClassificationResults:
    cells = files.comparison.cells
    facts = {cell: read_json(files.folder(cell) / "analysis.json") for cell in cells}
    known = facts[cells[0]]
    prevalence = np.array([own["prevalence"] for own in facts.values()], dtype=np.float64)
    saliency = str(known["saliency"][0])
    units = {method: folder / "units" for method, folder in files.first_seed.items()}
    return ClassificationResults(
        **files.common_fields(known["classes"], metrics),
        prevalence=tuple(prevalence.mean(axis=0).tolist()),
        layers=tuple(known["layers"]),
        saliency=saliency,
        images={side: int(known[f"{side}_images"]) for side in ("training", "test", "probe")},
        zero_maps=_zero_maps(facts, saliency),
        reliability=_reliability(files),
        shift=files.gather(_shift),
        detectors=_detectors(files),
        examples={method: tuple(numbered_arrays(folder)) for method, folder in units.items()},
        pair_rows=files.comparison.rows_of(pairs),
    )


def _zero_maps(facts: dict[Cell, Any], saliency: str) -> dict[str, float]:
    shares: dict[str, list[float]] = {}
    for cell, own in facts.items():
        shares.setdefault(cell.method, []).append(own["zero_maps"][saliency])
    return {method: float(np.mean(own)) for method, own in shares.items()}


def _shift(folder: Path) -> pd.DataFrame:
    columns = ["class", "sign", "statistic", "difference"]
    rows = pd.read_parquet(folder / "shift.parquet", columns=columns)
    return rows[rows["statistic"] == "mean"].drop(columns="statistic")


def _reliability(files: AnalysisFiles) -> pd.DataFrame:
    """One curve a method and class: the bins of its seeds, weighted by their images."""
    rows = files.gather(lambda folder: pd.read_parquet(folder / "reliability.parquet"))
    weighted = rows.assign(
        predicted=rows["predicted"] * rows["count"], observed=rows["observed"] * rows["count"]
    )
    keys = ["method", "class", "calibrated", "bin"]
    pooled = weighted.groupby(keys)[["predicted", "observed", "count"]].sum().reset_index()
    pooled = pooled[pooled["count"] > 0]
    for name in ("predicted", "observed"):
        pooled[name] /= pooled["count"]
    return pooled


def _detectors(files: AnalysisFiles) -> pd.DataFrame:
    """How many units detect each class, the mean over seeds."""
    keys, names = ["layer", "class"], ["detects", "detects_beyond_null"]

    def counted(folder: Path) -> pd.DataFrame:
        rows = pd.read_parquet(folder / "dissection.parquet", columns=[*keys, *names])
        return rows.groupby(keys)[names].sum().reset_index()

    means = files.gather(counted).groupby(["method", *keys])[names].mean().reset_index()
    return means.rename(columns={"detects": "detectors", "detects_beyond_null": "beyond_null"})
