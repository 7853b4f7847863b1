"""A small picture of a cell for its run: the logit margins of each class, training beside test."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rarelens.studies.files import read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS, BINS, OUTSIDE = 4, 50, 0.001


def draw_margins(analysis: Path, file: Path) -> None:
    """Draw ``margins.parquet`` of an analysis's folder into a PNG."""
    # Imported here, for most syncs have nothing to draw.
    from rarelens.studies.reporting import style

    facts = read_json(analysis / "analysis.json")
    table = pd.read_parquet(analysis / "margins.parquet")
    if "sign" in table:
        table = table[table["sign"] == "positive"]
    columns = min(COLUMNS, len(facts["classes"]))
    with style.styled():
        rows = math.ceil(len(facts["classes"]) / columns)
        figure, axes = style.grid(rows, columns, height=1.5, width=2.2)
        panels = [axis for row in axes for axis in row]
        for class_, name in enumerate(facts["classes"]):
            _panel(panels[class_], table[table["class"] == class_], facts["bin_width"])
            panels[class_].set_title(style.label(name, 26))
        for axis in panels[len(facts["classes"]) :]:
            axis.set_visible(False)
        figure.supxlabel("logit margin of the true class (below 0: misclassified)", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
        style.save(figure, file, dpi=80)


def _panel(axis: Axes, rows: pd.DataFrame, bin_width: float) -> None:
    from rarelens.studies.reporting import style

    # All but nearly nothing of either side, and the boundary.
    sides = [own for _, own in rows.groupby("side")]
    ends = [
        0,
        *(end for own in sides for end in style.inner_range(own["bin"], own["count"], OUTSIDE)),
    ]
    low, high = min(ends), max(ends)
    step = max(1, math.ceil((high - low) / BINS))
    edges = np.arange(low, high + step + 1, step)
    for side, colour in (("train", style.TRAIN), ("test", style.TEST)):
        own = rows[rows["side"] == side]
        counts, _ = np.histogram(own["bin"], edges, weights=own["count"])
        density = counts / max(1, own["count"].sum()) / (step * bin_width)
        axis.stairs(density, edges * bin_width, color=colour, label=side, lw=1.3)
    style.boundary(axis, style.MUTED)
    axis.set_yticks([])
