"""A picture of one analysed cell, long before the report: margins, training beside test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rarelens.studies.files import read_json
from rarelens.studies.reporting import style
from rarelens.studies.reporting.number_text import signed
from rarelens.studies.reporting.segmentation.figures.margins import coarse_shares

SHOWN = 4  # Classes; the background last.
STEP = 8  # Stored bins in one that is drawn.
COLOURS = {"train": style.TRAIN, "test": style.TEST}


def draw(analysis: Path) -> Figure:
    """The margins of the rare classes and of the background, from the folder of an analysis."""
    facts = read_json(analysis / "analysis.json")
    table = pd.read_parquet(analysis / "margins.parquet")
    shift = pd.read_parquet(analysis / "shift.parquet")
    means = shift[shift["statistic"] == "mean"].set_index("class")
    classes = [*[each for each in facts["rare_classes"] if each][: SHOWN - 1], 0]
    figure, axes = style.grid(1, len(classes), height=2.6, width=4.2)
    width = facts["bin_width"] * STEP
    for axis, label in zip(axes[0], classes, strict=True):
        for side, colour in COLOURS.items():
            own = table[(table["class"] == label) & (table["side"] == side)]
            if own.empty:
                continue
            shares = coarse_shares(own, STEP)
            edges = np.append(shares.index, shares.index[-1] + 1) * width
            axis.stairs(shares / width, edges, color=colour, lw=1.6)
        style.boundary(axis)
        style.gridlines(axis)
        axis.set_title(style.label(facts["classes"][label], 24))
        if label in means.index:
            row = means.loc[label]
            text = f"mean {signed(row['train'], 1)} → {signed(row['test'], 1)}"
            axis.text(0.02, 0.97, text, transform=axis.transAxes, va="top", fontsize=8.5)
    axes[0][0].set_ylabel("density")
    figure.supxlabel("logit margin of the true class (below 0: misclassified)", fontsize=9.5)
    style.legend(figure, [style.key(f"{s} cases", color=c, lw=2) for s, c in COLOURS.items()])
    return figure
