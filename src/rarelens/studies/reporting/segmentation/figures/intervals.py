"""Means of every class and method, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from rarelens.studies.reporting import charts, style
from rarelens.studies.reporting.segmentation.results import SegmentationResults

GREY = "#6b7785"


class IntervalFigure(NamedTuple):
    """What is drawn of which measure: its words, and that of the axis."""

    measure: str
    title: str
    caption: str
    axis: str


# By the name of the figure's file.
FIGURES: Mapping[str, IntervalFigure] = {
    "shift": IntervalFigure(
        "shift_mean",
        "Logit shift by class",
        "Mean over subjects and seeds, with interval. Left of 0, the voxels of test subjects lie "
        "nearer the decision boundary, or further beyond it, than those of training subjects.",
        "logit shift: mean margin of test subjects − that of training subjects",
    ),
}


def draw(results: SegmentationResults, text: IntervalFigure) -> Figure:
    """A row a method, a marker a class; the rare classes, then the background."""
    shown, methods = results.shown_classes, results.methods
    # Markers of many classes are small, and lie apart.
    many = len(shown) > 4
    row, wide, size = (0.09 * len(shown), 0.8, 4.5) if many else (0.36, 0.5, 6.5)
    figure, axes = style.grid(1, 1, height=0.4 + row * len(methods), width=8.0)
    axis = axes[0][0]
    rows = numbers(results, text)
    for number, class_ in enumerate(shown):
        own = rows[rows["class"] == results.classes[class_]]
        own = own.drop_duplicates("method").set_index("method").reindex(list(methods))
        heights = [place + wide * ((number + 0.5) / len(shown) - 0.5) for place in range(len(own))]
        colour = style.shade(style.CLASSES, number) if class_ else GREY
        axis.hlines(heights, own["ci_low"], own["ci_high"], color=colour, lw=2)
        axis.plot(
            own["mean"], heights, ls="", marker="o" if class_ else "s", ms=size, color=colour,
            mec="white", mew=0.8, label=style.plain(results.classes[class_]),
        )  # fmt: skip
    style.boundary(axis)
    style.name_rows(axis, methods)
    style.gridlines(axis, "x")
    axis.set_xlabel(text.axis)
    style.legend(figure, axis.get_legend_handles_labels()[0], 5)
    return figure


def numbers(results: SegmentationResults, text: IntervalFigure) -> pd.DataFrame:
    """Means with intervals, a row a method and class."""
    return results.rows_of([text.measure], [results.classes[c] for c in results.shown_classes])


def chart(results: SegmentationResults, text: IntervalFigure) -> charts.Chart:
    """As `draw`; the class under the pointer stands out."""
    names = [results.classes[class_] for class_ in results.shown_classes]
    colours = [style.shade(style.CLASSES, place) for place in range(len(names) - 1)] + [GREY]
    over, picked = charts.over("class"), charts.picked("class")
    own = charts.base().encode(
        y=alt.Y(
            "method:N", sort=list(results.methods), title=None,
            axis=alt.Axis(labelExpr=charts.PLAIN, labelLimit=320),
        ),
        yOffset=alt.YOffset("class:N", sort=names),
        color=alt.Color(
            "class:N", scale=alt.Scale(domain=names, range=colours), legend=charts.key(names, 620),
        ),
        opacity=charts.faded(over, picked),
        tooltip=charts.tooltip(
            ("method", "class"), mean="mean", ci_low="interval from", ci_high="to",
            baseline_difference="difference from the baseline", difference_low="interval from ",
            difference_high="to ",
        ),
    )  # fmt: skip
    return alt.layer(
        charts.pointed(
            own.mark_point(filled=True, size=60).encode(x="mean:Q"), "points", over, picked
        ),
        charts.line(),
        own.mark_rule(strokeWidth=2).encode(x=alt.X("ci_low:Q", title=text.axis), x2="ci_high:Q"),
    ).properties(width=620, height=alt.Step(max(8, 34 // len(names) + 4)))
