"""Training curves: the loss and a validation measure over the steps, per method."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from rarelens.studies.reporting import style
from rarelens.studies.reporting.results import Results

WORDS = (
    "Training curves",
    "Losses of different objectives are not on one scale: compare their course, not their height.",
)
NAMES = {"dice": "Dice", "average_precision": "AP", "auroc": "AUROC"}


def draw(results: Results) -> Figure:
    """A column a method; the loss on its own scale, the validation's share (if any) on a common."""
    history, methods = results.history, results.pictured
    name = f"validation_{results.validation}"
    validated = name in history and bool(history[name].notna().any())
    width = style.share_column_width(len(methods))
    figure, axes = style.grid(1 + validated, len(methods), height=1.7, width=width)
    for column, method in enumerate(methods):
        own = history[history["method"] == method]
        _lines(axes[0][column], own, "loss")
        axes[0][column].set_title(style.label(method))
        if (own["loss"].dropna() > 0).all():
            _logarithmic(axes[0][column])
        if validated:
            axis = axes[1][column]
            _lines(axis, own, name)
            axis.set_ylim(0, 1)
            axes[0][column].set_xticklabels([])
            if column:
                axis.set_yticklabels([])
    axes[0][0].set_ylabel("training loss\n(own scale)")
    if validated:
        axes[1][0].set_ylabel(
            f"validation {NAMES.get(results.validation, style.plain(results.validation))}"
        )
    figure.supxlabel("optimiser step", fontsize=9.5)
    handles = [
        style.key("a seed", color=style.MUTED, lw=0.9),
        style.key("mean over seeds", color=style.TRAIN, lw=1.8),
    ]
    style.legend(figure, handles)
    return figure


def numbers(results: Results) -> pd.DataFrame:
    """Loss and validation, a row a method, seed and step."""
    columns = ["method", "seed", "step", "loss", f"validation_{results.validation}"]
    return results.history[[name for name in columns if name in results.history]]


def _logarithmic(axis: Axes) -> None:
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def _lines(axis: Axes, own: pd.DataFrame, column: str) -> None:
    known = own[np.isfinite(own[column])]
    common = {"x": "step", "y": column, "ax": axis}
    each = {"units": "seed", "estimator": None, "color": style.MUTED, "lw": 0.9, "alpha": 0.8}
    if len(known):
        sns.lineplot(known, **common, **each)
        # A mean over fewer seeds than the others would jump.
        complete = known.groupby("step").filter(lambda rows: len(rows) == own["seed"].nunique())
        sns.lineplot(complete, **common, errorbar=None, color=style.TRAIN, lw=1.8)
    else:
        style.remark(axis, "not measured")
    axis.set(xlabel="", ylabel="")
    axis.set_xlim(0, own["step"].max())
    axis.locator_params(axis="x", nbins=4)
    style.gridlines(axis)
