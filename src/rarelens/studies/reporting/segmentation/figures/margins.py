"""Histograms of the logit margin, training beside test, per class and method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from rarelens.studies.reporting import style
from rarelens.studies.reporting.segmentation.block import Block

BINS = 70
# The share of voxels, at either end, that the axis may leave out.
OUTSIDE = 0.001


def densities(block: Block) -> pd.DataFrame:
    """Margin densities per method, class and side, in bins coarse enough to be drawn.

    Returns:
        Columns method, class (label), side, margin (the bin's middle), density; background and
        rare classes, sides train and test.
    """
    step = _step(block)
    frames = []
    for class_, method, side in _groups(block):
        rows = _select(block, class_, method, side)
        if rows.empty:
            continue
        coarse = rows["count"].groupby(np.floor_divide(rows["bin"], step)).sum()
        index = np.arange(coarse.index.min(), coarse.index.max() + 1)
        share = coarse.reindex(index, fill_value=0) / coarse.sum()
        frames.append(
            pd.DataFrame(
                {
                    "method": method,
                    "class": class_,
                    "side": side,
                    "margin": (index + 0.5) * step * block.bin_width,
                    "density": share.to_numpy() / (step * block.bin_width),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def draw(block: Block) -> Figure:
    """Small multiples: a row a class, a column a method, all on one margin axis."""
    table = densities(block)
    shown = shown_classes(block)
    width = style.share_column_width(len(block.methods))
    figure, axes = style.grid(len(shown), len(block.methods), height=1.75, width=width)
    low, high = _limits(block)
    for row, class_ in enumerate(shown):
        top = table.loc[table["class"] == class_, "density"].max() * 1.12
        for column, method in enumerate(block.methods):
            axis = axes[row][column]
            own = table[(table["class"] == class_) & (table["method"] == method)]
            _panel(axis, block, own, class_, method)
            axis.set(xlim=(low, high), ylim=(0, top))
            if row == 0:
                axis.set_title(style.label(method))
            if row < len(shown) - 1:
                axis.set_xticklabels([])
            if column:
                axis.set_yticklabels([])
        axes[row][0].set_ylabel(f"{style.label(block.classes[class_])}\ndensity", fontweight="bold")
    figure.supxlabel("logit margin d of the true class (d < 0: misclassified)", fontsize=9.5)
    _legend(figure)
    return figure


def shown_classes(block: Block) -> list[int]:
    """The rare classes, then the background."""
    return [class_ for class_ in block.rare if class_ != 0] + [0]


def _panel(axis: Axes, block: Block, own: pd.DataFrame, class_: int, method: str) -> None:
    axis.axvspan(-1e6, 0, color=style.FAINT, alpha=0.6, lw=0)
    axis.axvline(0, color=style.INK, lw=1, ls=(0, (4, 2)))
    for side, colour in (("train", style.TRAIN), ("test", style.TEST)):
        part = own[own["side"] == side]
        axis.fill_between(
            part["margin"], part["density"], step="mid", color=colour, alpha=0.28, lw=0
        )
        axis.step(part["margin"], part["density"], where="mid", color=colour, lw=1.3)
    means = [_mean(block, class_, method, side) for side in ("train", "test")]
    for mean, colour in zip(means, (style.TRAIN, style.TEST), strict=True):
        axis.plot(
            [mean], [0.0], marker="^", ms=7, color=colour, mec="white", mew=0.8,
            clip_on=False, zorder=5, ls="",
        )  # fmt: skip
    axis.text(
        0.03, 0.96, _shift(*means),
        transform=axis.transAxes, va="top", fontsize=8.5,
        bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1.5},
    )  # fmt: skip


def _shift(train: float, test: float) -> str:
    if not np.isfinite(test - train):
        return "no voxels on one side"
    return f"shift {style.signed(test - train, 2)}"


def _legend(figure: Figure) -> None:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=style.TRAIN, alpha=0.5, label="training subjects"),
        Patch(facecolor=style.TEST, alpha=0.5, label="test subjects"),
        Line2D([], [], color=style.MUTED, marker="^", ls="", label="mean"),
        Line2D([], [], color=style.INK, lw=1, ls=(0, (4, 2)), label="decision boundary d = 0"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)


def _groups(block: Block) -> list[tuple[int, str, str]]:
    return [
        (class_, method, side)
        for class_ in shown_classes(block)
        for method in block.methods
        for side in ("train", "test")
    ]


def _select(block: Block, class_: int, method: str, side: str) -> pd.DataFrame:
    rows = block.margins
    return rows[(rows["class"] == class_) & (rows["method"] == method) & (rows["side"] == side)]


def _mean(block: Block, class_: int, method: str, side: str) -> float:
    rows = _select(block, class_, method, side)
    if rows.empty:
        return float("nan")
    return float(np.average((rows["bin"] + 0.5) * block.bin_width, weights=rows["count"]))


def _limits(block: Block) -> tuple[float, float]:
    """The range that holds all but `OUTSIDE` of every histogram, and the boundary."""
    ends: list[NDArray[np.float64]] = []
    for class_, method, side in _groups(block):
        rows = _select(block, class_, method, side).sort_values("bin")
        if rows.empty:
            continue
        below = rows["count"].cumsum() / rows["count"].sum()
        places = np.searchsorted(below.to_numpy(), [OUTSIDE, 1 - OUTSIDE])
        ends.append(rows["bin"].to_numpy()[np.minimum(places, len(rows) - 1)] * block.bin_width)
    span = np.array([*ends, [-1.0, 1.0]])
    return float(span[:, 0].min()), float(span[:, 1].max() + block.bin_width)


def _step(block: Block) -> int:
    """How many of the stored bins make one that is drawn."""
    low, high = _limits(block)
    return max(1, round((high - low) / BINS / block.bin_width))
