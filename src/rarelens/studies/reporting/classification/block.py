"""A block of the section: all methods of one dataset, network and fraction, ready to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rarelens.studies.cells import Cell
from rarelens.studies.files import read_json
from rarelens.studies.reporting.block import AnyBlock
from rarelens.studies.reporting.reading import (
    Arrays,
    gather,
    grouped,
    methods_of,
    numbered_arrays,
    own_metrics,
    own_rows,
    read_panels,
    require_analyses,
)

TABLES = ("reliability", "shift", "dissection")


@dataclass(frozen=True)
class Block(AnyBlock):
    """Everything that the tables and figures of one dataset, network and fraction show.

    Attributes:
        prevalence: of each class, in the training images; the mean over cells.
        layers: from the first to the last; the last is nearest to the classifier.
        zero_maps: per method, the share of saliency maps that are 0 everywhere.
        reliability: method, class, calibrated, bin, predicted, observed, count; pooled over seeds.
        shift: method, seed, class, sign, difference of the mean margins.
        detectors: method, layer, class, detectors, beyond_null; mean over seeds.
        panels: per image, of each method arrays image, mask, map, class, logit, boxes.
        examples: per method, of its best detecting units, arrays images, masks, active, layer,
            unit, class, iou; first seed.
        pairs: the rows of the comparison of pairs that belong here.
    """

    prevalence: tuple[float, ...]
    layers: tuple[str, ...]
    saliency: str
    images: dict[str, int]
    zero_maps: dict[str, float]
    reliability: pd.DataFrame
    shift: pd.DataFrame
    detectors: pd.DataFrame
    examples: dict[str, tuple[Arrays, ...]]
    pairs: pd.DataFrame

    @property
    def order(self) -> list[int]:
        """The classes, from the most frequent to the rarest."""
        shares = np.nan_to_num(self.prevalence)
        return sorted(range(len(self.classes)), key=lambda class_: -shares[class_])

    def share(self, class_: int) -> str:
        """The prevalence of a class, for people."""
        share = self.prevalence[class_]
        return f"{share:.1%}" if np.isfinite(share) else "undefined"

    @property
    def validation(self) -> str:
        """The measure that training followed on validation images, without its prefix."""
        prefix = "validation_"
        columns = [str(name) for name in self.history.columns]
        return next(c.removeprefix(prefix) for c in columns if c.startswith(prefix))

    @property
    def confidence(self) -> float:
        """Of all intervals."""
        return float(self.metrics["confidence"].iloc[0])


def read_blocks(
    cells: Sequence[Cell], analyses: Path, metrics: pd.DataFrame, pairs: pd.DataFrame
) -> list[Block]:
    """The blocks of a study, in its order.

    Args:
        cells: the study's models.
        analyses: the folder above ``<task>/<cell>``.
        metrics: the comparison of methods (``metrics/classification.csv``).
        pairs: that of pairs of methods (``metrics/classification_pairs.csv``).

    Raises:
        RarelensError: one sentence for each file that is missing, and where the comparison
            does not cover a cell.
    """
    names = ("analysis.json", "history.csv", *(f"{table}.parquet" for table in TABLES))
    require_analyses(cells, analyses, names)
    return [_block(group, analyses, metrics, pairs) for group in grouped(cells)]


def _block(cells: list[Cell], analyses: Path, metrics: pd.DataFrame, pairs: pd.DataFrame) -> Block:
    first = cells[0]
    own = own_metrics(cells, metrics)
    baseline = str(own["baseline"].iloc[0])
    folders = {cell: cell.folder(str(analyses)) for cell in cells}
    facts = {cell: read_json(folder / "analysis.json") for cell, folder in folders.items()}
    known = facts[first]
    prevalence = np.array([own["prevalence"] for own in facts.values()], dtype=np.float64)
    seeds = tuple(dict.fromkeys(cell.seed for cell in cells))
    pictured = {cell.method: folders[cell] for cell in cells if cell.seed == seeds[0]}
    saliency = str(known["saliency"][0])
    shares = {cell: facts[cell]["zero_maps"][saliency] for cell in cells}
    return Block(
        dataset=first.dataset,
        network=first.network,
        fraction=first.fraction,
        methods=methods_of(cells, baseline),
        baseline=baseline,
        seeds=seeds,
        classes=tuple(known["classes"]),
        prevalence=tuple(prevalence.mean(axis=0).tolist()),
        layers=tuple(known["layers"]),
        saliency=saliency,
        images={side: int(known[f"{side}_images"]) for side in ("training", "test", "probe")},
        zero_maps={
            method: float(np.mean([shares[cell] for cell in cells if cell.method == method]))
            for method in methods_of(cells)
        },
        reliability=_reliability(gather(cells, lambda c: _table(folders[c], "reliability"))),
        shift=gather(cells, lambda c: _shift(folders[c])),
        detectors=_mean(gather(cells, lambda c: _detectors(folders[c]))),
        history=gather(cells, lambda c: pd.read_csv(folders[c] / "history.csv")),
        panels=read_panels(pictured),
        examples={m: tuple(numbered_arrays(folder / "units")) for m, folder in pictured.items()},
        metrics=own,
        pairs=own_rows(first, pairs),
    )


def _table(folder: Path, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet", columns=columns)


def _shift(folder: Path) -> pd.DataFrame:
    rows = _table(folder, "shift", ["class", "sign", "statistic", "difference"])
    return rows[rows["statistic"] == "mean"].drop(columns="statistic")


def _reliability(rows: pd.DataFrame) -> pd.DataFrame:
    """One curve a method and class: the bins of its seeds, weighted by their images."""
    weighted = rows.assign(
        predicted=rows["predicted"] * rows["count"], observed=rows["observed"] * rows["count"]
    )
    keys = ["method", "class", "calibrated", "bin"]
    pooled = weighted.groupby(keys)[["predicted", "observed", "count"]].sum().reset_index()
    pooled = pooled[pooled["count"] > 0]
    for name in ("predicted", "observed"):
        pooled[name] /= pooled["count"]
    return pooled


def _detectors(folder: Path) -> pd.DataFrame:
    rows = _table(folder, "dissection", ["layer", "class", "detects", "detects_beyond_null"])
    counts = rows.groupby(["layer", "class"])[["detects", "detects_beyond_null"]].sum()
    counts.columns = pd.Index(["detectors", "beyond_null"])
    return counts.reset_index()


def _mean(rows: pd.DataFrame) -> pd.DataFrame:
    """Over seeds."""
    means = rows.drop(columns="seed").groupby(["method", "layer", "class"]).mean()
    return means.reset_index()
