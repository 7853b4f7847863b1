"""Saliency maps beside the finding's region: the same image for all methods."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.figures import pictures
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.number_text import signed
from rarelens.studies.reporting.results import Arrays


def draw(results: ClassificationResults) -> Figure:
    """A row an image with its finding, a column a method's map, with the logit it gave."""
    columns = len(results.pictured) + 1
    side = min(1.9, style.share_column_width(columns, least=1.15))
    figure, axes = style.grid(len(results.panels), columns, height=side, width=side)
    for row, panel in enumerate(results.panels):
        first = panel[results.baseline]
        pictures.show(axes[row][0], first["image"])
        _finding(axes[row][0], first)
        name = results.classes[int(first["class"])]
        axes[row][0].set_ylabel(style.label(name), fontweight="bold")
        for column, method in enumerate(results.pictured, start=1):
            _map(axes[row][column], panel[method])
            if row == 0:
                axes[0][column].set_title(style.label(method, 12))
    axes[0][0].set_title("image")
    figure.colorbar(
        ScalarMappable(cmap=pictures.HEAT), ax=[row[-1] for row in axes], shrink=0.8,
        aspect=30, label="saliency (scaled to 0–1)",
    )  # fmt: skip
    key = style.key("the finding: box or mask", color=pictures.FINDING, lw=1.6)
    style.legend(figure, [key])
    return figure


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """The logits beneath the maps, a row an image and method."""
    return pd.DataFrame(
        {
            "image": number,
            "class": results.classes[int(panel[method]["class"])],
            "method": method,
            "logit": float(panel[method]["logit"]),
        }
        for number, panel in enumerate(results.panels, 1)
        for method in results.methods
    )


def _finding(axis: Axes, arrays: Arrays) -> None:
    """The boxes; the mask's outline where it is not made of them."""
    if arrays["boxes"].size:
        pictures.frames(axis, arrays["boxes"])
    else:
        pictures.outline(axis, arrays["mask"])


def _map(axis: Axes, arrays: Arrays) -> None:
    pictures.show(axis, arrays["image"])
    pictures.heat(axis, arrays["map"])
    _finding(axis, arrays)
    axis.set_xlabel(f"logit {signed(float(arrays['logit']), 1)}", fontsize=8, labelpad=2)
    if not arrays["map"].any():
        axis.text(
            0.5, 0.5, "map is 0", transform=axis.transAxes, ha="center", va="center", fontsize=8,
            color="white", bbox={"facecolor": style.INK, "alpha": 0.75, "lw": 0, "pad": 2},
        )  # fmt: skip
