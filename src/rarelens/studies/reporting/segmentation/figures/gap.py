"""Margins of fixed training and validation patches through training: when the gap opens."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rarelens.studies.reporting import style
from rarelens.studies.reporting.segmentation.results import SegmentationResults

SIDES = {"train": style.TRAIN, "validation": style.TEST}


def followed(results: SegmentationResults) -> bool:
    """Whether the trainings kept such margins."""
    return "margin_train_0" in results.history


def draw(results: SegmentationResults) -> Figure:
    """A row a class, a column a method; a thin line a seed, a thick one their mean."""
    shown, methods = results.shown_classes, results.pictured
    width = style.share_column_width(len(methods))
    figure, axes = style.grid(len(shown), len(methods), height=1.5, width=width)
    for row, class_ in enumerate(shown):
        for column, method in enumerate(methods):
            _lines(axes[row][column], results, class_, method)
        style.same_heights(axes[row])
        axes[row][0].set_ylabel(f"{style.label(results.classes[class_])}\nmargin (logits)")
    style.name_columns(axes, methods)
    figure.supxlabel("optimiser step", fontsize=9.5)
    handles = [style.key(f"{side} patches", color=colour, lw=1.8) for side, colour in SIDES.items()]
    style.legend(figure, handles)
    return figure


def numbers(results: SegmentationResults) -> pd.DataFrame:
    """Mean margins, a row a method, seed, step, side and class."""
    keys = ["method", "seed", "step"]
    frames = [
        results.history[keys].assign(
            **{"side": side, "class": results.classes[class_]},
            margin=results.history[f"margin_{side}_{class_}"],
        )
        for side in SIDES
        for class_ in results.shown_classes
    ]
    return pd.concat(frames, ignore_index=True).dropna()


def _lines(axis: Axes, results: SegmentationResults, class_: int, method: str) -> None:
    own = results.history[results.history["method"] == method]
    for side, colour in SIDES.items():
        table = own.pivot_table(index="step", columns="seed", values=f"margin_{side}_{class_}")
        axis.plot(table.index, table, color=colour, lw=0.7, alpha=0.5)
        axis.plot(table.index, table.mean(axis=1, skipna=False), color=colour, lw=1.8)
    if not own[f"margin_train_{class_}"].notna().any():
        style.remark(axis, "not measured")
    axis.axhline(0, color=style.INK, lw=1, ls=style.DASHED)
    axis.locator_params(axis="x", nbins=3)
    axis.locator_params(axis="y", nbins=5)
    style.gridlines(axis)
