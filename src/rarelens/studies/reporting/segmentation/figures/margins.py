"""Histograms of the logit margin, training beside test, per class and method."""

from __future__ import annotations

from itertools import product

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from rarelens.studies.reporting import charts, style
from rarelens.studies.reporting.number_text import signed
from rarelens.studies.reporting.segmentation.results import SegmentationResults

BINS = 70
# The share of voxels, at either end, that the axis may leave out.
OUTSIDE = 0.001
Histograms = dict[tuple[int, str, str], pd.DataFrame]


def densities(results: SegmentationResults) -> pd.DataFrame:
    """Margin densities per method, class and side, in bins coarse enough to be drawn.

    Returns:
        Columns method, class (label), side, margin (the bin's middle), density, below (the share
        of voxels up to the bin's end), mean (of all margins, from the stored bins); background
        and rare classes, sides train and test.
    """
    histograms = _histograms(results)
    low, high = _limits(results, histograms)
    # How many of the stored bins make one that is drawn.
    step = max(1, round((high - low) / BINS / results.bin_width))
    frames = []
    for (class_, method, side), rows in histograms.items():
        share = coarse_shares(rows, step)
        frames.append(
            pd.DataFrame(
                {
                    "method": method,
                    "class": class_,
                    "side": side,
                    "margin": (share.index.to_numpy() + 0.5) * step * results.bin_width,
                    "density": share.to_numpy() / (step * results.bin_width),
                    "below": share.cumsum().to_numpy(),
                    "mean": _mean(results, rows),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def coarse_shares(rows: pd.DataFrame, step: int) -> pd.Series:
    """Share of the voxels in each ``step`` stored bins, first to last; indexed by bin // step."""
    coarse = rows["count"].groupby(np.floor_divide(rows["bin"], step)).sum()
    index = np.arange(coarse.index.min(), coarse.index.max() + 1)
    return coarse.reindex(index, fill_value=0) / coarse.sum()


def numbers(results: SegmentationResults) -> pd.DataFrame:
    """`densities`, with the names of classes."""
    return results.named(densities(results))


def draw(results: SegmentationResults) -> Figure:
    """Small multiples: a row a class, a column a method, all on one margin axis."""
    table = densities(results)
    shown = results.shown_classes
    width = style.share_column_width(len(results.pictured))
    figure, axes = style.grid(len(shown), len(results.pictured), height=1.75, width=width)
    low, high = _limits(results, _histograms(results))
    for row, class_ in enumerate(shown):
        top = table.loc[table["class"] == class_, "density"].max() * 1.12
        for column, method in enumerate(results.pictured):
            axis = axes[row][column]
            own = table[(table["class"] == class_) & (table["method"] == method)]
            _panel(axis, own)
            axis.set(xlim=(low, high), ylim=(0, top))
        axes[row][0].set_ylabel(
            f"{style.label(results.classes[class_])}\ndensity", fontweight="bold"
        )
    style.name_columns(axes, results.pictured)
    figure.supxlabel("logit margin d of the true class (d < 0: misclassified)", fontsize=9.5)
    _legend(figure)
    return figure


def chart(results: SegmentationResults) -> charts.Chart:
    """As `draw`; of the bin under the pointer the tooltip tells either side's numbers."""
    low, high = _limits(results, _histograms(results))
    return alt.vconcat(*(_row(results, class_, (low, high)) for class_ in results.shown_classes))


def _row(results: SegmentationResults, class_: int, limits: tuple[float, float]) -> alt.FacetChart:
    name = results.classes[class_]
    near = alt.selection_point(
        name=f"near_{class_}", on="pointerover", nearest=True, fields=["margin"], empty=False
    )
    x = alt.X("margin:Q", title="logit margin d", scale=alt.Scale(domain=list(limits), nice=False))
    side = alt.Color(
        "side:N",
        scale=alt.Scale(domain=["train", "test"], range=[style.TRAIN, style.TEST]),
        legend=alt.Legend(
            title=None,
            labelExpr="datum.label + (datum.label == 'train' ? 'ing subjects' : ' subjects')",
        ),
    )
    density = alt.Y("density:Q", stack=None)
    own = charts.base().encode(x=x, color=side)
    words = charts.tooltip(
        ("method", "class", "side"), margin="margin", density="density",
        below="share of voxels to the left", mean="mean margin",
    )  # fmt: skip
    points = own.mark_point(filled=True, size=45, clip=True).encode(
        y=density, tooltip=words, opacity=alt.condition(near, alt.value(1), alt.value(0))
    )
    layers = alt.layer(
        own.mark_area(interpolate="step", opacity=0.3, clip=True).encode(y=density),
        own.mark_line(interpolate="step", strokeWidth=1.3, clip=True).encode(y=density),
        charts.line(),
        charts.base()
        .mark_point(shape="triangle-up", filled=True, size=110, opacity=1)
        .encode(x="mean(mean):Q", y=alt.datum(0), color=side),
        charts.pointed(points, f"points_{class_}", near, charts.zoomed(f"zoom_{class_}", ["x"])),
    )
    column = alt.Column(
        "method:N", sort=list(results.pictured), title=None,
        header=alt.Header(labelExpr=charts.PLAIN),
    )  # fmt: skip
    rows = {
        "and": [
            alt.FieldEqualPredicate(field="class", equal=name),
            alt.FieldOneOfPredicate(field="method", oneOf=list(results.pictured)),
        ]
    }
    return (
        layers.properties(width=240, height=120)
        .facet(column=column)
        .transform_filter(rows)
        .properties(title=name)
    )


def _panel(axis: Axes, own: pd.DataFrame) -> None:
    axis.axvspan(-1e6, 0, color=style.FAINT, alpha=0.6, lw=0)
    style.boundary(axis)
    for side, colour in (("train", style.TRAIN), ("test", style.TEST)):
        part = own[own["side"] == side]
        axis.fill_between(
            part["margin"], part["density"], step="mid", color=colour, alpha=0.28, lw=0
        )
        axis.step(part["margin"], part["density"], where="mid", color=colour, lw=1.3)
    means = [own.loc[own["side"] == side, "mean"].mean() for side in ("train", "test")]
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
    known = np.isfinite(test - train)
    return f"shift {signed(test - train, 2)}" if known else "no voxels on one side"


def _legend(figure: Figure) -> None:
    handles = [
        Patch(facecolor=style.TRAIN, alpha=0.5, label="training subjects"),
        Patch(facecolor=style.TEST, alpha=0.5, label="test subjects"),
        style.key("mean", color=style.MUTED, marker="^", ls=""),
        style.key("decision boundary d = 0", color=style.INK, lw=1, ls=style.DASHED),
    ]
    style.legend(figure, handles)


def _histograms(results: SegmentationResults) -> Histograms:
    """By class, method and side, those of the classes shown that have voxels there."""
    found = dict(iter(results.margins.groupby(["class", "method", "side"])))
    keys = product(results.shown_classes, results.methods, ("train", "test"))
    return {key: found[key] for key in keys if key in found}


def _mean(results: SegmentationResults, rows: pd.DataFrame) -> float:
    return float(np.average((rows["bin"] + 0.5) * results.bin_width, weights=rows["count"]))


def _limits(results: SegmentationResults, histograms: Histograms) -> tuple[float, float]:
    """The range that holds all but `OUTSIDE` of every histogram, and the boundary."""
    ends = [style.inner_range(rows["bin"], rows["count"], OUTSIDE) for rows in histograms.values()]
    low = min(-1.0, min(low for low, _ in ends) * results.bin_width)
    return low, max(1.0, max(high for _, high in ends) * results.bin_width) + results.bin_width
