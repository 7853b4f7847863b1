"""A block of the report: all methods of one dataset, network and fraction, ready to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rarelens.studies.cells import Cell
from rarelens.studies.files import read_json
from rarelens.studies.reporting.block import AnyBlock
from rarelens.studies.reporting.reading import (
    gather,
    grouped,
    methods_of,
    own_metrics,
    read_panels,
    require_analyses,
)


@dataclass(frozen=True)
class Block(AnyBlock):
    """Everything that the figures of one dataset, network and fraction show.

    Attributes:
        classes: names; the index is the label, 0 the background.
        rare: labels of the rare classes.
        margins: method, side, class, bin, count; pooled over seeds and subjects.
        joint: method, side, class, foreground, bin_x, bin_y, count; pooled likewise.
        subjects: method, class, subject (1, 2, …), dice, sensitivity, precision; the mean over
            seeds of each test subject.
        history: method, seed, step, loss, validation_dice.
        panels: per subject, of each method arrays image, truth, prediction, margin.
        units: method, seed, layer, units (how many), detectors, detectors_beyond_null, best_iou;
            no rows where nothing was looked into.
    """

    rare: tuple[int, ...]
    bin_width: float
    joint_bin_width: float
    margins: pd.DataFrame
    joint: pd.DataFrame
    subjects: pd.DataFrame
    units: pd.DataFrame


def read_blocks(cells: Sequence[Cell], analyses: Path, metrics: pd.DataFrame) -> list[Block]:
    """The blocks of a study, in its order.

    Args:
        cells: the study's models.
        analyses: the folder above ``<task>/<cell>``.
        metrics: the comparison (`rarelens.studies.comparison.segmentation.compare.read_metrics`).

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
    pictured = {c.method: c.folder(str(analyses)) for c in cells if c.seed == seeds[0]}
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
        panels=read_panels(pictured),
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
