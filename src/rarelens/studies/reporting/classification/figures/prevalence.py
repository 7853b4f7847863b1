"""How well each class is predicted, against how frequent it is."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from rarelens.studies.reporting import charts, style
from rarelens.studies.reporting.classification.results import ClassificationResults

MEASURES = {
    "auroc": ("AUROC", 0.5),
    "average_precision": ("average precision", None),
    "average_precision_over_prevalence": ("AP / prevalence", 1.0),
}
# Decades between two names of classes, at least.
GAP = 0.115


def draw(results: ClassificationResults) -> Figure:
    """A column a measure; a marker a method and class, the classes joined to a line."""
    figure, axes = style.grid(1, len(MEASURES), height=3.6, width=3.8)
    known = [class_ for class_ in reversed(results.by_frequency) if results.prevalence[class_] > 0]
    for axis, (measure, (name, guess)) in zip(axes[0], MEASURES.items(), strict=True):
        values = _values(results, measure, known)
        shares = np.array([results.prevalence[class_] for class_ in known])
        step = min(0.012, 0.1 / len(results.methods))
        for place, method in enumerate(results.methods):
            # Beside one another, for equal values would hide each other.
            dodge = 10 ** (step * (place - (len(results.methods) - 1) / 2))
            _line(axis, place, method, shares * dodge, values[method])
        if guess is not None:
            axis.axhline(guess, color=style.MUTED, lw=1, ls=style.DASHED, zorder=1)
        else:
            axis.plot(shares, shares, color=style.MUTED, lw=1, ls=style.DASHED, zorder=1)
        axis.set_ylabel(name)
        _dress(axis, results, known, values.isna().all(axis="columns").to_numpy())
    figure.supxlabel("prevalence in the training images (logarithmic)", fontsize=9.5)
    style.legend(figure, axes[0][0].get_legend_handles_labels()[0], 6)
    return figure


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """Means with intervals, a row a method, class and measure."""
    rows = results.rows_of(MEASURES, results.classes)
    shares = dict(zip(results.classes, results.prevalence, strict=True))
    return rows.assign(prevalence=rows["class"].map(shares))


def chart(results: ClassificationResults) -> charts.Chart:
    """As `draw`; the method under the pointer stands out."""
    return alt.hconcat(
        *(_panel(results, measure, name, guess) for measure, (name, guess) in MEASURES.items())
    )


def _panel(
    results: ClassificationResults, measure: str, name: str, guess: float | None
) -> alt.LayerChart:
    over, picked = charts.over("method"), charts.picked("method")
    color, shape = charts.methods(results.methods, 3 * 350)
    own = charts.base().encode(
        x=alt.X(
            "prevalence:Q", title="prevalence in the training images",
            scale=alt.Scale(type="log", nice=False, padding=8),
            axis=alt.Axis(format=".1%", tickCount=4),
        ),
        color=color,
        opacity=charts.faded(over, picked),
        tooltip=charts.tooltip(
            ("method", "class"), prevalence="prevalence", mean=name, ci_low="interval from",
            ci_high="to", baseline_difference="difference from the baseline",
            difference_low="interval from ", difference_high="to ",
        ),
    )  # fmt: skip
    y = alt.Y("mean:Q", title=name, scale=alt.Scale(zero=False, padding=8))
    by_chance = charts.base().mark_line(color=style.MUTED, strokeDash=[4, 2])
    by_chance = by_chance.encode(x="prevalence:Q", y="prevalence:Q")
    points = own.mark_point(filled=True, size=45).encode(y=y, shape=shape)
    return (
        alt.layer(
            charts.pointed(
                points, f"points_{measure}", over, picked, charts.zoomed(f"zoom_{measure}")
            ),
            by_chance if guess is None else charts.line("y", guess),
            own.mark_line(strokeWidth=1).encode(y=y),
        )
        .transform_filter(f"datum.measure == '{measure}' && datum.prevalence > 0")
        .properties(width=290, height=230)
    )


def _values(results: ClassificationResults, measure: str, known: list[int]) -> pd.DataFrame:
    """Means, a row a class, a column a method."""
    rows = results.metrics[
        (results.metrics["measure"] == measure) & (results.metrics["layer"] == "")
    ]
    names = [results.classes[class_] for class_ in known]
    square = rows.pivot(index="class", columns="method", values="mean")  # noqa: PD010
    return square.reindex(index=names, columns=list(results.methods))


def _line(
    axis: Axes, place: int, method: str, shares: NDArray[np.float64], values: pd.Series
) -> None:
    colour, marker = style.method_look(place)
    axis.plot(
        shares, values, color=colour, marker=marker, ms=5.5, mec="white", mew=0.6,
        lw=1.6 if place == 0 else 0.9, alpha=0.95, label=style.plain(method),
        zorder=3 if place == 0 else 2,
    )  # fmt: skip


def _dress(
    axis: Axes, results: ClassificationResults, known: list[int], lost: NDArray[np.bool_]
) -> None:
    axis.set_xscale("log")
    places = np.log10([results.prevalence[class_] for class_ in known])
    axis.set_xlim(10 ** (places[0] - 0.12), 10 ** (places[-1] + 0.12))
    low, high = np.log10(axis.get_xlim())
    ticks = [k * 10.0**e for e in range(-5, 1) for k in (1, 2, 5)]
    axis.xaxis.set_major_locator(FixedLocator([t for t in ticks if low <= np.log10(t) <= high]))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axis.xaxis.set_minor_locator(NullLocator())
    style.gridlines(axis, "y")
    above = axis.get_xaxis_transform()
    least = GAP * (high - low) / 1.7
    texts = style.spread(list(places), least)
    for class_, undefined, place, text in zip(known, lost, places, texts, strict=True):
        axis.plot(
            [10**place, 10**place, 10**text], [0, 1, 1.05], transform=above, color=style.FAINT,
            lw=0.9, clip_on=False, zorder=0,
        )  # fmt: skip
        name = style.plain(results.classes[class_]) + (" (undefined)" if undefined else "")
        axis.text(
            10**text, 1.06, name, transform=above, rotation=90,
            ha="center", va="bottom", fontsize=8,
        )  # fmt: skip
