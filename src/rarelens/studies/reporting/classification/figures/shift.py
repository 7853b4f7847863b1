"""The shift of the logit margin of each class, for images with and without the finding."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.results import ClassificationResults

SIGNS = {"positive": "images with the finding", "negative": "images without it"}


def draw(results: ClassificationResults) -> Figure:
    """A column a sign, a row a class from frequent to rare; a marker a method."""
    height = 0.5 + len(results.classes) * (0.16 + 0.085 * len(results.methods))
    figure, axes = style.grid(1, len(SIGNS), height=height, width=4.6)
    for axis, (sign, title) in zip(axes[0], SIGNS.items(), strict=True):
        own = results.shift[results.shift["sign"] == sign]
        for place, method in enumerate(results.methods):
            rows = own[own["method"] == method].groupby("class")["difference"]
            _markers(axis, results, place, method, rows.agg(["mean", "min", "max"]))
        for height, class_ in enumerate(results.by_frequency):
            if own.loc[own["class"] == class_, "difference"].isna().all():
                axis.text(0, height, " undefined", va="center", color=style.MUTED)
        style.boundary(axis)
        _dress(axis, results, title)
    axes[0][1].set_yticklabels([])
    figure.supxlabel("mean margin of test images − that of training images", fontsize=9.5)
    style.legend(figure, axes[0][0].get_legend_handles_labels()[0], 6)
    return figure


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """Differences of mean margins, a row a method, seed, class and sign."""
    return results.named(results.shift)[["method", "seed", "class", "sign", "difference"]]


def _markers(
    axis: Axes, results: ClassificationResults, place: int, method: str, rows: pd.DataFrame
) -> None:
    rows = rows.reindex(results.by_frequency)
    heights = np.arange(len(rows)) + 0.76 * ((place + 0.5) / len(results.methods) - 0.5)
    colour, marker = style.method_look(place)
    axis.hlines(heights, rows["min"], rows["max"], color=colour, lw=1.2, alpha=0.7)
    axis.plot(
        rows["mean"], heights, color=colour, marker=marker, ms=5, mec="white", mew=0.6, ls="",
        label=style.plain(method),
    )  # fmt: skip


def _dress(axis: Axes, results: ClassificationResults, title: str) -> None:
    names = [
        f"{style.label(results.classes[c], 18)}\n{results.prevalence_text(c)}"
        for c in results.by_frequency
    ]
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    for edge in range(1, len(names)):
        axis.axhline(edge - 0.5, color=style.FAINT, lw=0.9, zorder=0)
    axis.tick_params(axis="y", length=0)
    style.gridlines(axis, "x")
    axis.set_title(title)
