"""Lesions of a class by size: how many are detected, and how far from the boundary they lie."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rarelens.studies.comparison.segmentation.lesion_values import QUARTILES
from rarelens.studies.reporting import style
from rarelens.studies.reporting.segmentation.results import SIZED, SegmentationResults

SIDES = {"train": style.TRAIN, "test": style.TEST}
LABELS = {"detected": "share detected", "margin": "mean margin\n(logits)"}


def draw(results: SegmentationResults, class_: int) -> Figure:
    """A row a measure, a column a method; a line a side, over the quarters of size."""
    methods = results.pictured
    width = style.share_column_width(len(methods))
    figure, axes = style.grid(len(SIZED), len(methods), height=1.8, width=width)
    for row, measure in enumerate(SIZED):
        for column, method in enumerate(methods):
            _lines(axes[row][column], results, class_, measure, method)
        style.same_heights(axes[row])
        axes[row][0].set_ylabel(LABELS[measure])
    for detected, margin in zip(*axes, strict=True):
        detected.set_ylim(-0.03, 1.03)
        margin.axhline(0, color=style.INK, lw=1, ls=style.DASHED)
    style.name_columns(axes, methods)
    figure.supxlabel("lesions from the smallest (q1) to the largest (q4) quarter", fontsize=9.5)
    handles = [
        style.key("training subjects", color=style.TRAIN, marker="o", ms=4),
        style.key("test subjects, with interval", color=style.TEST, marker="s", ms=4),
    ]
    style.legend(figure, handles)
    return figure


def numbers(results: SegmentationResults, class_: int) -> pd.DataFrame:
    """Share detected and mean margin, a row a method, side and quarter of size."""
    return results.named(results.lesions[results.lesions["class"] == class_])


def _lines(
    axis: Axes, results: SegmentationResults, class_: int, measure: str, method: str
) -> None:
    rows = results.lesions
    rows = rows[(rows["method"] == method) & (rows["class"] == class_)]
    for side, marker in (("train", "o"), ("test", "s")):
        own = rows[rows["side"] == side].set_index("quartile").reindex(list(QUARTILES))
        axis.plot(QUARTILES, own[measure], color=SIDES[side], marker=marker, ms=4, lw=1.5)
    for quartile in QUARTILES:
        name = f"lesion_{measure}_q{quartile}"
        test = results.entry(method, name, results.classes[class_])
        axis.plot([quartile] * 2, [test["ci_low"], test["ci_high"]], color=style.TEST, lw=1)
    axis.set_xticks(QUARTILES, [f"q{quartile}" for quartile in QUARTILES])
    axis.set_xlim(0.6, len(QUARTILES) + 0.4)
    style.gridlines(axis, "y")
