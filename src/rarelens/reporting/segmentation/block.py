"""A block of the report: all methods of one dataset, network and fraction, ready to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.cells import Cell
from rarelens.files import read_json
from rarelens.reporting.reading import (
    gather,
    grouped,
    methods_of,
    own_metrics,
    percent,
    require_analyses,
)

Panel = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Block:
    """Everything that the figures of one dataset, network and fraction show.

    Attributes:
        methods: in the study's order, the baseline first.
        classes: names; the index is the label, 0 the background.
        rare: labels of the rare classes.
        margins: method, side, class, bin, count; pooled over seeds and subjects.
        joint: method, side, class, foreground, bin_x, bin_y, count; pooled likewise.
        subjects: method, class, subject (1, 2, …), dice, sensitivity, precision; the mean over
            seeds of each test subject.
        history: method, seed, step, loss, validation_dice.
        panels: per subject, method → arrays image, truth, prediction, margin; of the first seed.
        units: method, seed, layer, units (how many), detectors, detectors_beyond_null, best_iou;
            no rows where nothing was looked into.
        metrics: the rows of the comparison that belong here.
    """

    dataset: str
    network: str
    fraction: str
    methods: tuple[str, ...]
    baseline: str
    seeds: tuple[int, ...]
    classes: tuple[str, ...]
    rare: tuple[int, ...]
    bin_width: float
    joint_bin_width: float
    margins: pd.DataFrame
    joint: pd.DataFrame
    subjects: pd.DataFrame
    history: pd.DataFrame
    panels: tuple[dict[str, Panel], ...]
    units: pd.DataFrame
    metrics: pd.DataFrame

    @property
    def name(self) -> str:
        """``dataset-network-fraction``, for file names and anchors."""
        return f"{self.dataset}-{self.network}-{self.fraction}"

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.dataset}, {self.network}, {percent(self.fraction)}"


def read_blocks(cells: Sequence[Cell], analyses: Path, metrics: pd.DataFrame) -> list[Block]:
    """The blocks of a study, in its order.

    Args:
        cells: the study's models.
        analyses: the folder above ``<task>/<cell>``.
        metrics: the comparison (`rarelens.comparison.segmentation.read_metrics`).

    Raises:
        RarelensError: one sentence for each file that is missing, and where the comparison
            does not cover a cell.
    """
    require_analyses(cells, analyses, ("analysis.json", "history.csv"))
    return [_block(group, analyses, metrics) for group in grouped(cells)]


def _block(cells: list[Cell], analyses: Path, metrics: pd.DataFrame) -> Block:
    first = cells[0]
    own = own_metrics(cells, metrics)
    baseline = str(own["baseline"].iloc[0])
    facts = read_json(first.folder(str(analyses)) / "analysis.json")
    seeds = tuple(dict.fromkeys(cell.seed for cell in cells))
    return Block(
        dataset=first.dataset,
        network=first.network,
        fraction=first.fraction,
        methods=methods_of(cells, baseline),
        baseline=baseline,
        seeds=seeds,
        classes=tuple(facts["classes"]),
        rare=tuple(facts["rare_classes"]),
        bin_width=facts["bin_width"],
        joint_bin_width=facts["joint_bin_width"],
        margins=_pooled(cells, analyses, "margins", ["side", "class", "bin"]),
        joint=_pooled(cells, analyses, "joint", ["side", "class", "foreground", "bin_x", "bin_y"]),
        subjects=_subjects(cells, analyses),
        history=gather(cells, lambda cell: _history(cell.folder(str(analyses)))),
        panels=_panels([cell for cell in cells if cell.seed == seeds[0]], analyses),
        units=gather(cells, lambda cell: _units(cell.folder(str(analyses)))),
        metrics=own,
    )


def _pooled(cells: list[Cell], analyses: Path, name: str, keys: list[str]) -> pd.DataFrame:
    """Counts of one table, added up over seeds."""
    rows = gather(
        cells, lambda cell: pd.read_parquet(cell.folder(str(analyses)) / f"{name}.parquet")
    )
    return rows.groupby(["method", *keys])["count"].sum().reset_index()


def _subjects(cells: list[Cell], analyses: Path) -> pd.DataFrame:
    """Overlap per test subject; case ids give way to numbers here."""
    rows = gather(
        cells, lambda cell: pd.read_parquet(cell.folder(str(analyses)) / "overlap.parquet")
    )
    rows = rows[(rows["side"] == "test") & (rows["rule"] == "all")]
    measures = ["dice", "sensitivity", "precision"]
    means = rows.groupby(["method", "class", "case"], as_index=False)[measures].mean()
    numbers = {case: number for number, case in enumerate(sorted(means["case"].unique()), 1)}
    return means.assign(subject=means["case"].map(numbers)).drop(columns="case")


def _units(folder: Path) -> pd.DataFrame:
    found = read_json(folder / "analysis.json")["units"]
    return pd.DataFrame([{"layer": layer, **numbers} for layer, numbers in found.items()])


def _history(folder: Path) -> pd.DataFrame:
    history = pd.read_csv(folder / "history.csv")
    return history.reindex(columns=["step", "loss", "validation_dice"])


def _panels(cells: list[Cell], analyses: Path) -> tuple[dict[str, Panel], ...]:
    """The panels that all methods have, in order."""
    folders = {cell.method: cell.folder(str(analyses)) / "panels" for cell in cells}
    panels = []
    number = 1
    while all((folder / f"{number}.npz").is_file() for folder in folders.values()):
        panels.append({m: _arrays(folder / f"{number}.npz") for m, folder in folders.items()})
        number += 1
    return tuple(panels)


def _arrays(file: Path) -> Panel:
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in ("image", "truth", "prediction", "margin")}
