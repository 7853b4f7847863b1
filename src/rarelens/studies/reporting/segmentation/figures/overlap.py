"""Dice, sensitivity and precision of every test subject, per method and rare class."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting import style
from rarelens.studies.reporting.segmentation.results import SegmentationResults

MEASURES = ("dice", "sensitivity", "precision")
GOLDEN = 0.6180339887498949


def draw(results: SegmentationResults) -> Figure:
    """A row a rare class, a column a measure; a dot a subject, a bar the mean with interval."""
    width = min(4.0, max(2.9, 0.9 + 0.5 * len(results.methods)))
    figure, axes = style.grid(len(results.drawn), len(MEASURES), height=2.9, width=width)
    for row, class_ in enumerate(results.drawn):
        for column, measure in enumerate(MEASURES):
            axis = axes[row][column]
            for place, method in enumerate(results.methods):
                _strip(axis, results, class_, measure, method, place)
            _dress(axis, results, labelled=row == len(results.drawn) - 1)
            if row == 0:
                axis.set_title(SEGMENTATION[measure].title)
            if column:
                axis.set_yticklabels([])
        axes[row][0].set_ylabel(f"{style.label(results.classes[class_])}\nshare (0 to 1)")
    _legend(figure)
    return figure


def numbers(results: SegmentationResults) -> pd.DataFrame:
    """Means over seeds, a row a method, class and subject."""
    rows = results.subjects[results.subjects["class"].isin(results.drawn)]
    return results.named(rows)[["method", "class", "subject", *MEASURES]]


def _strip(
    axis: Axes, results: SegmentationResults, class_: int, measure: str, method: str, place: int
) -> None:
    subjects = results.subjects
    own = subjects[(subjects["class"] == class_) & (subjects["method"] == method)]
    own = own.sort_values("subject")
    colour = style.INK if method == results.baseline else style.TEST
    axis.scatter(
        place + _jitter(own["subject"]), own[measure], s=13, color=colour, alpha=0.42, lw=0,
        clip_on=False,
    )  # fmt: skip
    row = results.entry(method, measure, results.classes[class_])
    axis.plot([place - 0.36, place + 0.36], [row["mean"]] * 2, color=colour, lw=2.2)
    axis.plot([place, place], [row["ci_low"], row["ci_high"]], color=colour, lw=1.4)


def _jitter(subjects: pd.Series) -> NDArray[np.float64]:
    """The same sideways place for a subject in every column, evenly spread."""
    return 0.56 * ((subjects.to_numpy(dtype=float) * GOLDEN) % 1 - 0.5)


def _dress(axis: Axes, results: SegmentationResults, labelled: bool) -> None:
    axis.set(ylim=(0, 1), xlim=(-0.6, len(results.methods) - 0.4))
    axis.set_yticks(np.linspace(0, 1, 6))
    style.gridlines(axis, "y")
    many = len(results.methods) > 8
    shown = style.plain if many else partial(style.label, width=20)
    names = [shown(method) if labelled else "" for method in results.methods]
    turned: dict[str, Any] = {"rotation": 90}
    slanted: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    look = turned if many else slanted if len(names) > 3 else {}
    axis.set_xticks(range(len(names)), names, **look)
    axis.tick_params(axis="x", length=0)


def _legend(figure: Figure) -> None:
    handles = [
        style.key("test subject", color=style.INK, marker="o", ls="", alpha=0.5, ms=4),
        style.key("mean", color=style.INK, lw=2.2),
        style.key("interval of the mean", color=style.INK, marker="|", ls="", ms=10),
    ]
    style.legend(figure, handles)
