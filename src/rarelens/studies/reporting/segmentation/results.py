"""What the page shows of one dataset, network and fraction of the segmentation study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from rarelens.studies.cells import Cell
from rarelens.studies.comparison.metrics import read_metrics
from rarelens.studies.comparison.segmentation.lesion_values import size_quartiles
from rarelens.studies.files import read_json
from rarelens.studies.reporting.results import AnalysisFiles, Results, analysis_files

REQUIRED = ("margins.parquet", "joint.parquet", "overlap.parquet", "lesions.parquet")
SIZED = ("detected", "margin")


@dataclass(frozen=True)
class SegmentationResults(Results):
    """Everything that tables and figures show.

    Attributes:
        classes: names; the index is the label, 0 the background.
        rare: labels of the rare classes, none of them 0.
        drawn: those of which there are figures: all, or if there are more than asked for, half of
            them the rarest in the training subjects, half of the others those whose margins the
            baseline shifts most.
        margins: method, side, class, bin, count; pooled over seeds and subjects.
        joint: method, side, class, foreground, bin_x, bin_y, count; pooled likewise.
        subjects: method, class, subject (1, 2, …), dice, sensitivity, precision; the mean over
            seeds of each test subject.
        panels: per subject, of each method arrays image, truth, prediction, margin.
        units: method, seed, layer, units (how many), detectors, detectors_beyond_null, best_iou;
            no rows where nothing was looked into.
        lesions: method, side, class, quartile (of size, `size_quartiles`), detected, margin; the
            mean over seeds of that over subjects of that over a subject's lesions.
        pairs: the rows of the comparison of pairs that belong here.
    """

    change: ClassVar[tuple[str, str]] = ("shift_mean", "logit shift")
    rare: tuple[int, ...]
    drawn: tuple[int, ...]
    bin_width: float
    joint_bin_width: float
    margins: pd.DataFrame
    joint: pd.DataFrame
    subjects: pd.DataFrame
    units: pd.DataFrame
    lesions: pd.DataFrame
    pairs: pd.DataFrame

    @property
    def shown_classes(self) -> tuple[int, ...]:
        """The rare classes that are drawn, then the background."""
        return (*self.drawn, 0)

    @cached_property
    def leading(self) -> tuple[int, ...]:
        """Those drawn of which nothing is folded: all, or of more rare classes than are drawn two.

        These are the rarest in the training subjects, and of the others the one whose margins the
        baseline shifts most.
        """
        if self.drawn == self.rare:
            return self.drawn
        own = self.margins
        own = own[(own["method"] == self.baseline) & (own["side"] == "train")]
        voxels = own.groupby("class")["count"].sum()
        rarest = min(self.drawn, key=lambda class_: voxels.get(class_, 0))
        others = [class_ for class_ in self.drawn if class_ != rarest]
        return tuple(sorted([rarest, *sorted(others, key=self._shift)[-1:]]))

    def _shift(self, class_: int) -> float:
        size = abs(self.entry(self.baseline, "shift_mean", self.classes[class_])["mean"])
        return 0.0 if pd.isna(size) else float(size)


def read_results(
    cells: Sequence[Cell], analyses: Path, metrics: Path, most: int
) -> list[SegmentationResults]:
    """The results of a study, in its order.

    Args:
        cells: the study's models.
        analyses: the folder above ``<task>/<cell>``.
        metrics: the folder of ``segmentation.csv`` and ``segmentation_pairs.csv``.
        most: how many rare classes are drawn.

    Raises:
        RarelensError: one sentence for each file that is missing, and where the comparison
            does not cover a cell.
    """
    table = read_metrics(metrics / "segmentation.csv")
    pairs = read_metrics(metrics / "segmentation_pairs.csv")
    return [
        _results(files, table, pairs, most) for files in analysis_files(cells, analyses, REQUIRED)
    ]


def _results(
    files: AnalysisFiles, metrics: pd.DataFrame, pairs: pd.DataFrame, most: int
) -> SegmentationResults:
    facts = read_json(files.folder(files.comparison.cells[0]) / "analysis.json")
    common = files.common_fields(facts["classes"], metrics)
    rare = tuple(class_ for class_ in facts["rare_classes"] if class_)
    margins = _pooled(files, "margins", ["side", "class", "bin"])
    return SegmentationResults(
        **common,
        rare=rare,
        drawn=_drawn(rare, common, margins, most),
        bin_width=facts["bin_width"],
        joint_bin_width=facts["joint_bin_width"],
        margins=margins,
        joint=_pooled(files, "joint", ["side", "class", "foreground", "bin_x", "bin_y"]),
        subjects=_subjects(files),
        units=files.gather(_units),
        lesions=_lesions(files),
        pairs=files.comparison.rows_of(pairs),
    )


def _drawn(
    rare: tuple[int, ...], common: Mapping[str, Any], margins: pd.DataFrame, most: int
) -> tuple[int, ...]:
    if len(rare) <= most:
        return rare
    own = margins[(margins["method"] == common["baseline"]) & (margins["side"] == "train")]
    voxels = own.groupby("class")["count"].sum()
    rarest = sorted(rare, key=lambda class_: voxels.get(class_, 0))[: most // 2]
    rows = common["metrics"]
    rows = rows[(rows["method"] == common["baseline"]) & (rows["measure"] == "shift_mean")]
    shift = rows.drop_duplicates("class").set_index("class")["mean"].abs().fillna(0)
    others = sorted(
        (class_ for class_ in rare if class_ not in rarest),
        key=lambda class_: -shift.get(common["classes"][class_], 0),
    )
    return tuple(sorted([*rarest, *others[: most - len(rarest)]]))


def _lesions(files: AnalysisFiles) -> pd.DataFrame:
    rows = files.gather(_sized)
    keys = ["method", "side", "class", "quartile"]
    return rows.groupby(keys, as_index=False)[list(SIZED)].mean()


def _sized(folder: Path) -> pd.DataFrame:
    """Side, class, quartile and the means over the subjects of one cell."""
    lesions = pd.read_parquet(folder / "lesions.parquet")
    lesions = lesions[lesions["side"].isin(["train", "test"])]
    lesions = lesions.assign(quartile=size_quartiles(lesions))
    keys = ["side", "class", "quartile"]
    by_case = lesions.groupby([*keys, "case"])[list(SIZED)].mean()
    return by_case.groupby(keys).mean().reset_index()


def _pooled(files: AnalysisFiles, name: str, keys: list[str]) -> pd.DataFrame:
    """Counts of one table, added up over seeds."""
    rows = files.gather(lambda folder: pd.read_parquet(folder / f"{name}.parquet"))
    return rows.groupby(["method", *keys])["count"].sum().reset_index()


def _subjects(files: AnalysisFiles) -> pd.DataFrame:
    """Overlap per test subject; case ids give way to numbers here."""
    rows = files.gather(lambda folder: pd.read_parquet(folder / "overlap.parquet"))
    rows = rows[(rows["side"] == "test") & (rows["rule"] == "all")]
    measures = ["dice", "sensitivity", "precision"]
    means = rows.groupby(["method", "class", "case"], as_index=False)[measures].mean()
    numbers = {case: number for number, case in enumerate(sorted(means["case"].unique()), 1)}
    return means.assign(subject=means["case"].map(numbers)).drop(columns="case")


def _units(folder: Path) -> pd.DataFrame:
    found = read_json(folder / "analysis.json")["units"]
    return pd.DataFrame([{"layer": layer, **numbers} for layer, numbers in found.items()])
