"""How many units detect each finding, per method and layer."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.results import ClassificationResults


def draw(results: ClassificationResults) -> Figure:
    """A row a layer, a column a class from frequent to rare; a bar a method."""
    width = style.share_column_width(len(results.classes), least=1.2, whole=11.5)
    height = 0.5 + 0.2 * len(results.methods)
    figure, axes = style.grid(len(results.layers), len(results.classes), height=height, width=width)
    for row, layer in enumerate(results.layers):
        own = results.detectors[results.detectors["layer"] == layer]
        top = max(1.0, float(own[["detectors", "beyond_null"]].max().max())) * 1.8
        for column, class_ in enumerate(results.by_frequency):
            axis = axes[row][column]
            counts = own[own["class"] == class_].set_index("method")
            counts = counts.reindex(list(results.methods))
            _bars(axis, results, counts["detectors"].to_numpy(), counts["beyond_null"].to_numpy())
            axis.set_xlim(0, top)
            if row == 0:
                axis.set_title(
                    f"{style.label(results.classes[class_])}\n{results.prevalence_text(class_)}"
                )
            if column:
                axis.set_yticklabels([])
        axes[row][0].set_ylabel(f"layer\n{style.label(layer, 16)}", fontweight="bold")
    figure.supxlabel("units that detect the finding (mean over seeds)", fontsize=9.5)
    handles = [
        Patch(color=style.TRAIN, alpha=0.75, label="network dissection's rule (first number)"),
        style.key(
            "beyond the permutation null (second)", color=style.TEST, marker="D", ms=5, ls=""
        ),
    ]
    style.legend(figure, handles)
    return figure


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """Detectors by the rule and beyond chance, a row a method, layer and class."""
    return results.named(results.detectors)


def _bars(
    axis: Axes, results: ClassificationResults, counts: np.ndarray, beyond: np.ndarray
) -> None:
    places = np.arange(len(results.methods))
    colours = [
        style.INK if method == results.baseline else style.TRAIN for method in results.methods
    ]
    axis.barh(places, counts, height=0.66, color=colours, alpha=0.75)
    axis.plot(beyond, places, marker="D", ms=3.8, color=style.TEST, ls="", mec="white", mew=0.5,
              clip_on=False)  # fmt: skip
    for place, count, other in zip(places, counts, beyond, strict=True):
        if math.isfinite(count):
            axis.annotate(
                f"{_short(count)} / {_short(other)}", (max(count, other), place), xytext=(5, 0),
                textcoords="offset points", va="center", fontsize=7.5,
            )  # fmt: skip
    style.name_rows(axis, results.methods, 0.6)
    axis.locator_params(axis="x", nbins=3, integer=True)


def _short(count: float) -> str:
    return f"{count:.1f}".removesuffix(".0")
