"""A block of the report: all methods of one dataset, network and fraction, ready to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.cells import Cell
from rarelens.errors import RarelensError
from rarelens.files import read_json

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
    metrics: pd.DataFrame

    @property
    def name(self) -> str:
        """``dataset-network-fraction``, for file names and anchors."""
        return f"{self.dataset}-{self.network}-{self.fraction}"

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.dataset}, {self.network}, {float(self.fraction):.0%} of the training pool"


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
    missing = [
        f"{file}: no such file; run the stages before the report (dvc repro)"
        for cell in cells
        for file in (cell.folder(str(analyses)) / name for name in ("analysis.json", "history.csv"))
        if not file.is_file()
    ]
    if missing:
        raise RarelensError(*missing)
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.dataset, cell.network, cell.fraction), []).append(cell)
    return [_block(group, analyses, metrics) for group in groups.values()]


def _block(cells: list[Cell], analyses: Path, metrics: pd.DataFrame) -> Block:
    first = cells[0]
    own = _own_metrics(first, metrics)
    baseline = str(own["baseline"].iloc[0])
    methods = sorted(dict.fromkeys(cell.method for cell in cells), key=lambda m: m != baseline)
    absent = [method for method in methods if method not in set(own["method"])]
    if absent:
        raise RarelensError(
            f"metrics: {', '.join(absent)} of {first.dataset} is not in the comparison; "
            "run stage compare again (dvc repro)"
        )
    facts = read_json(first.folder(str(analyses)) / "analysis.json")
    seeds = tuple(dict.fromkeys(cell.seed for cell in cells))
    return Block(
        dataset=first.dataset,
        network=first.network,
        fraction=first.fraction,
        methods=tuple(methods),
        baseline=baseline,
        seeds=seeds,
        classes=tuple(facts["classes"]),
        rare=tuple(facts["rare_classes"]),
        bin_width=facts["bin_width"],
        joint_bin_width=facts["joint_bin_width"],
        margins=_pooled(cells, analyses, "margins", ["side", "class", "bin"]),
        joint=_pooled(cells, analyses, "joint", ["side", "class", "foreground", "bin_x", "bin_y"]),
        subjects=_subjects(cells, analyses),
        history=_gather(cells, lambda cell: _history(cell.folder(str(analyses)))),
        panels=_panels([cell for cell in cells if cell.seed == seeds[0]], analyses),
        metrics=own,
    )


def _own_metrics(cell: Cell, metrics: pd.DataFrame) -> pd.DataFrame:
    keys = {"dataset": cell.dataset, "network": cell.network, "fraction": cell.fraction}
    matching = pd.Series(True, index=metrics.index)
    for column, value in keys.items():
        matching &= metrics[column] == value
    own: pd.DataFrame = metrics[matching]
    if own.empty:
        raise RarelensError(
            f"metrics: {', '.join(keys.values())} is not in the comparison; "
            "run stage compare again (dvc repro)"
        )
    return own


def _gather(cells: list[Cell], read: Callable[[Cell], pd.DataFrame]) -> pd.DataFrame:
    frames = [read(cell).assign(method=cell.method, seed=cell.seed) for cell in cells]
    return pd.concat(frames, ignore_index=True)


def _pooled(cells: list[Cell], analyses: Path, name: str, keys: list[str]) -> pd.DataFrame:
    """Counts of one table, added up over seeds."""
    rows = _gather(
        cells, lambda cell: pd.read_parquet(cell.folder(str(analyses)) / f"{name}.parquet")
    )
    return rows.groupby(["method", *keys])["count"].sum().reset_index()


def _subjects(cells: list[Cell], analyses: Path) -> pd.DataFrame:
    """Overlap per test subject; case ids give way to numbers here."""
    rows = _gather(
        cells, lambda cell: pd.read_parquet(cell.folder(str(analyses)) / "overlap.parquet")
    )
    rows = rows[(rows["side"] == "test") & (rows["rule"] == "all")]
    measures = ["dice", "sensitivity", "precision"]
    means = rows.groupby(["method", "class", "case"], as_index=False)[measures].mean()
    numbers = {case: number for number, case in enumerate(sorted(means["case"].unique()), 1)}
    return means.assign(subject=means["case"].map(numbers)).drop(columns="case")


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
