"""Reliability diagrams: predicted probabilities against observed shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.results import ClassificationResults

ROWS = ((False, "as predicted", "ece"), (True, "calibrated", "ece_calibrated"))
TICKS = (0, 0.05, 0.2, 0.5, 1)


def draw(results: ClassificationResults) -> Figure:
    """A column a method, a row before and after calibration; a line a class."""
    width = style.share_column_width(len(results.pictured), least=1.55)
    figure, axes = style.grid(len(ROWS), len(results.pictured), height=min(2.4, width), width=width)
    for row, (calibrated, name, measure) in enumerate(ROWS):
        for column, method in enumerate(results.pictured):
            axis = axes[row][column]
            own = results.reliability
            own = own[(own["method"] == method) & (own["calibrated"] == calibrated)]
            _curves(axis, results, own)
            error = results.entry(method, measure)["mean"]
            axis.text(
                0.04, 0.95, f"ECE {error:.3f}" if np.isfinite(error) else "ECE undefined",
                transform=axis.transAxes, va="top", fontsize=8,
            )  # fmt: skip
        axes[row][0].set_ylabel(f"{name}\nobserved share")
    style.name_columns(axes, results.pictured)
    figure.supxlabel("predicted probability (square-root scale)", fontsize=9.5)
    handles = [
        style.key(style.plain(results.classes[class_]), color=style.METHODS[1 + place],
                  marker="o", ms=4, lw=1.2)
        for place, class_ in enumerate(results.by_frequency[: len(style.METHODS) - 1])
    ]  # fmt: skip
    style.legend(figure, handles)
    return figure


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """Predicted and observed shares, a row a method, class, before or after, and bin."""
    return results.named(results.reliability)


def _curves(axis: Axes, results: ClassificationResults, own: pd.DataFrame) -> None:
    axis.plot([0, 1], [0, 1], color=style.MUTED, lw=1, ls=style.DASHED)
    for place, class_ in enumerate(results.by_frequency):
        rows = own[own["class"] == class_].sort_values("bin")
        colour = style.METHODS[1 + place % (len(style.METHODS) - 1)]
        axis.plot(
            rows["predicted"], rows["observed"], color=colour, marker="o", ms=3, lw=1.1, alpha=0.85,
            clip_on=False,
        )  # fmt: skip
    for scale in (axis.set_xscale, axis.set_yscale):
        # Rare findings have small probabilities, which a linear axis would crowd at 0.
        scale("function", functions=(_root, np.square))
    axis.set(xlim=(0, 1), ylim=(0, 1))
    labels = [f"{tick:g}" for tick in TICKS]
    axis.set_xticks(TICKS, labels)
    axis.set_yticks(TICKS, labels)
    style.gridlines(axis)


def _root(values: NDArray[np.float64]) -> NDArray[np.float64]:
    root: NDArray[np.float64] = np.sqrt(np.maximum(values, 0))
    return root
