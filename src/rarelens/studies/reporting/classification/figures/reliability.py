"""Reliability diagrams: predicted probabilities against observed shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.block import Block
from rarelens.studies.reporting.classification.comparison import entry

ROWS = ((False, "as predicted", "ece"), (True, "calibrated", "ece_calibrated"))
TICKS = (0, 0.05, 0.2, 0.5, 1)


def draw(block: Block) -> Figure:
    """A column a method, a row before and after calibration; a line a class."""
    width = style.share_column_width(len(block.methods), least=1.55)
    figure, axes = style.grid(len(ROWS), len(block.methods), height=min(2.4, width), width=width)
    for row, (calibrated, name, measure) in enumerate(ROWS):
        for column, method in enumerate(block.methods):
            axis = axes[row][column]
            own = block.reliability
            own = own[(own["method"] == method) & (own["calibrated"] == calibrated)]
            _curves(axis, block, own)
            error = entry(block, method, measure)["mean"]
            axis.text(
                0.04, 0.95, f"ECE {error:.3f}" if np.isfinite(error) else "ECE undefined",
                transform=axis.transAxes, va="top", fontsize=8,
            )  # fmt: skip
            if row == 0:
                axis.set_title(style.label(method))
                axis.set_xticklabels([])
            if column:
                axis.set_yticklabels([])
        axes[row][0].set_ylabel(f"{name}\nobserved share")
    figure.supxlabel("predicted probability (square-root scale)", fontsize=9.5)
    handles = [
        Line2D([], [], color=style.METHODS[1 + place], marker="o", ms=4, lw=1.2,
               label=style.plain(block.classes[class_]))
        for place, class_ in enumerate(block.order[: len(style.METHODS) - 1])
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=min(8, len(handles)))
    return figure


def _curves(axis: Axes, block: Block, own: pd.DataFrame) -> None:
    axis.plot([0, 1], [0, 1], color=style.MUTED, lw=1, ls=(0, (4, 2)))
    for place, class_ in enumerate(block.order):
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
    axis.grid(color=style.FAINT, lw=0.8)
    axis.set_axisbelow(True)


def _root(values: NDArray[np.float64]) -> NDArray[np.float64]:
    root: NDArray[np.float64] = np.sqrt(np.maximum(values, 0))
    return root
