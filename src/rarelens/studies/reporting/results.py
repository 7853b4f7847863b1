"""What the page shows of one comparison: the cells of one dataset, network and fraction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.comparison import Comparison, comparisons, require_analyses

Arrays = dict[str, NDArray[Any]]
# Methods of a figure with a column for each, at most: they fill the width of the page.
MOST_PICTURED = 8


@dataclass(frozen=True)
class Results:
    """What tables and figures of either task show of all methods together.

    Attributes:
        methods: in the study's order, the baseline first.
        classes: names.
        history: method, seed, step, loss and ``validation_<measure>``.
        panels: per panel, method → arrays; of the first seed.
        metrics: the rows of the comparison that belong here.
        change: the measure, and its name for people, by which methods are picked where there are
            too many to be drawn.
    """

    change: ClassVar[tuple[str, str]]
    dataset: str
    network: str
    fraction: str
    methods: tuple[str, ...]
    baseline: str
    seeds: tuple[int, ...]
    classes: tuple[str, ...]
    history: pd.DataFrame
    panels: tuple[dict[str, Arrays], ...]
    metrics: pd.DataFrame

    @property
    def name(self) -> str:
        """``dataset-network-fraction``, for file names and anchors."""
        return f"{self.dataset}-{self.network}-{self.fraction}"

    @property
    def title(self) -> str:
        """For people."""
        share = f"{float(self.fraction):.0%} of the training pool"
        return f"{self.dataset}, {self.network}, {share}"

    @property
    def others(self) -> tuple[str, ...]:
        """The methods that are compared with the baseline."""
        return tuple(method for method in self.methods if method != self.baseline)

    @cached_property
    def pictured(self) -> tuple[str, ...]:
        """The methods of figures that have a column for each: all, or of many `MOST_PICTURED`.

        These are the baseline, and those that differ most from it in `change`, on average over
        classes.
        """
        if len(self.methods) <= MOST_PICTURED:
            return self.methods
        rows = self.metrics[self.metrics["measure"] == self.change[0]]
        rows = rows[rows["method"].isin(self.others)]
        sizes = rows["baseline_difference"].abs().groupby(rows["method"]).mean()
        kept = {self.baseline, *sizes.nlargest(MOST_PICTURED - 1).index}
        return tuple(method for method in self.methods if method in kept)

    @property
    def confidence(self) -> float:
        """Of all intervals."""
        return float(self.metrics["confidence"].iloc[0])

    @property
    def validation(self) -> str:
        """The measure that training followed on validation cases; empty where there is none."""
        parted = [str(name).partition("validation_") for name in self.history.columns]
        return next((measure for start, _, measure in parted if measure and not start), "")

    def entry(
        self, method: str, measure: str, class_name: str = "mean", layer: str = ""
    ) -> pd.Series:
        """The comparison's row for one number; an empty row where there is none."""
        key = (method, measure, class_name, layer)[: 3 + ("layer" in self.metrics)]
        return self._entries(*key)

    @cached_property
    def _entries(self) -> FirstRows:
        """Over all components of overlap."""
        rows = self.metrics
        keys = ["method", "measure", "class", *(["layer"] if "layer" in rows else [])]
        return FirstRows(rows[rows["rule"] == "all"] if "rule" in rows else rows, keys)

    def named(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows with the names of their classes instead of the numbers."""
        return rows.assign(**{"class": [self.classes[class_] for class_ in rows["class"]]})

    def rows_of(self, measures: Collection[str], class_names: Collection[str]) -> pd.DataFrame:
        """The comparison's rows of some measures and classes: method, class, measure, interval."""
        rows = self.metrics
        rows = rows[rows["measure"].isin(list(measures)) & rows["class"].isin(list(class_names))]
        if "rule" in rows:
            rows = rows[rows["rule"] == "all"]
        differences = ["baseline_difference", "difference_low", "difference_high"]
        return rows[["method", "class", "measure", "mean", "ci_low", "ci_high", *differences]]

    def enough_seeds(self, measure: str, class_names: Collection[str]) -> bool:
        """Whether differences may be claimed, by the seeds that have the measure.

        A class for which nobody has it, as no test subject has the structure, does not count.
        """
        rows = self.metrics
        rows = rows[(rows["measure"] == measure) & rows["class"].isin(class_names)]
        rows = rows[rows["mean"].notna()]
        return bool(rows["sufficient_seeds"].all())


def first_row(rows: pd.DataFrame) -> pd.Series:
    """The first row; an empty one where there is none."""
    return rows.iloc[0] if len(rows) else pd.Series(float("nan"), index=rows.columns)


class FirstRows:
    """The first row of each key of a table, as `first_row`; looked up, for a page asks thousands.

    Args:
        rows: the table.
        keys: its columns that are the key.
    """

    def __init__(self, rows: pd.DataFrame, keys: Sequence[str]) -> None:
        self._rows = rows
        self._places: dict[tuple[str, ...], int] = {}
        for place, key in enumerate(rows[list(keys)].itertuples(index=False, name=None)):
            self._places.setdefault(key, place)
        self._found: dict[tuple[str, ...], pd.Series] = {}

    def __call__(self, *key: str) -> pd.Series:
        """The row, not to be changed; an empty one where there is none."""
        if key not in self._found:
            place = self._places.get(key)
            own = self._rows[:0] if place is None else self._rows.iloc[place : place + 1]
            self._found[key] = first_row(own)
        return self._found[key]


@dataclass(frozen=True)
class AnalysisFiles:
    """The analyses of the cells of one comparison, where its results are read from."""

    comparison: Comparison
    analyses: Path

    def folder(self, cell: Cell) -> Path:
        """The analysis of a cell."""
        return cell.folder(str(self.analyses))

    def gather(self, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
        """What ``read`` makes of each analysis, with the cell's method and seed beside."""
        frames = [
            read(self.folder(cell)).assign(method=cell.method, seed=cell.seed)
            for cell in self.comparison.cells
        ]
        return pd.concat(frames, ignore_index=True)

    @property
    def first_seed(self) -> dict[str, Path]:
        """By method, the analysis of the first seed: pictures are of that."""
        cells = self.comparison.cells
        return {c.method: self.folder(c) for c in cells if c.seed == cells[0].seed}

    def common_fields(self, classes: Sequence[str], metrics: pd.DataFrame) -> dict[str, Any]:
        """The fields of `Results`.

        Args:
            classes: names.
            metrics: of all comparisons of the study.

        Raises:
            RarelensError: if the metrics do not cover all methods.
        """
        own = self.comparison.rows_of(metrics)
        names = self.comparison.names
        absent = [name for name in self.comparison.methods if name not in set(own["method"])]
        if absent:
            where = ", ".join(names.values())
            raise RarelensError(
                f"metrics: {', '.join(absent)} of {where} is not in the comparison; "
                "run stage compare again (dvc repro)"
            )
        baseline = str(own["baseline"].iloc[0])
        panels = {m: numbered_arrays(folder / "panels") for m, folder in self.first_seed.items()}
        return {
            **names,
            "methods": tuple(sorted(self.comparison.methods, key=lambda name: name != baseline)),
            "baseline": baseline,
            "seeds": tuple(dict.fromkeys(cell.seed for cell in self.comparison.cells)),
            "classes": tuple(classes),
            "history": self.gather(lambda folder: pd.read_csv(folder / "history.csv")),
            "panels": tuple(
                dict(zip(panels, own, strict=True)) for own in zip(*panels.values(), strict=False)
            ),
            "metrics": own,
        }


def analysis_files(
    cells: Sequence[Cell], analyses: Path, files: Sequence[str]
) -> list[AnalysisFiles]:
    """The comparisons of a study, in its order.

    Args:
        cells: the study's models.
        analyses: the folder above ``<task>/<cell>``.
        files: what every analysis must have beside ``analysis.json`` and ``history.csv``.

    Raises:
        RarelensError: one sentence for each file or folder that is missing.
    """
    require_analyses(cells, analyses, ("analysis.json", "history.csv", *files))
    return [AnalysisFiles(comparison, analyses) for comparison in comparisons(cells)]


def numbered_arrays(folder: Path) -> list[Arrays]:
    """The arrays of each ``<number>.npz`` in a folder, in the order of their numbers."""
    files = sorted(folder.glob("*.npz"), key=lambda file: int(file.stem))
    return [read_arrays(file) for file in files]


def read_arrays(file: Path) -> Arrays:
    """The arrays of an .npz by their names."""
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
