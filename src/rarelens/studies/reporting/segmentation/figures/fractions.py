"""Shift, sensitivity and Dice over the share of the training pool that was trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence

import altair as alt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting import charts, style
from rarelens.studies.reporting.segmentation.figures import forest
from rarelens.studies.reporting.segmentation.results import SegmentationResults

MEASURES = ("shift_mean", "sensitivity", "dice")


def curves(study: Sequence[SegmentationResults]) -> list[list[SegmentationResults]]:
    """The results of each dataset and network that were trained on several shares, rising."""
    groups: dict[tuple[str, str], list[SegmentationResults]] = {}
    for results in study:
        groups.setdefault((results.dataset, results.network), []).append(results)
    return [
        sorted(own, key=lambda results: float(results.fraction))
        for own in groups.values()
        if len(own) > 1
    ]


def numbers(study: Sequence[SegmentationResults]) -> pd.DataFrame:
    """As `forest.numbers`, of these measures; of the background its shift with the baseline."""
    frames = []
    for own in curves(study):
        rows = forest.numbers(own, MEASURES)
        drawn = rows["class"].isin([own[0].classes[class_] for class_ in own[0].drawn])
        background = (rows["kind"] == "background") & (rows["measure"] == "shift_mean")
        frames.append(rows[drawn | background])
    return pd.concat(frames, ignore_index=True)


def chart(study: Sequence[SegmentationResults]) -> charts.Chart:
    """As `draw`; the method under the pointer stands out."""
    several = curves(study)
    methods = list(dict.fromkeys(method for own in several for method in own[0].methods))
    rows = [(own, class_) for own in several for class_ in own[0].drawn]
    return alt.vconcat(
        *(
            alt.hconcat(*(_panel(own, class_, measure, methods, place) for measure in MEASURES))
            for place, (own, class_) in enumerate(rows)
        )
    )


def _panel(
    own: Sequence[SegmentationResults],
    class_: int,
    measure: str,
    methods: Sequence[str],
    place: int,
) -> alt.LayerChart:
    first, over = own[0], charts.over("method")
    picked = charts.picked("method")
    color, shape = charts.methods(methods, 3 * 310)
    title = SEGMENTATION[measure].title
    every = charts.base().encode(
        x=alt.X(
            "share:Q", title="share of the training pool",
            scale=alt.Scale(type="log", nice=False, padding=12),
            axis=alt.Axis(values=[float(each.fraction) for each in own], format=".0%"),
        ),
        opacity=charts.faded(over, picked),
        tooltip=charts.tooltip(
            ("dataset", "network", "fraction", "class", "method"),
            mean=title, ci_low="interval from", ci_high="to",
        ),
    )  # fmt: skip
    y = alt.Y("mean:Q", title=title, scale=alt.Scale(zero=measure == "shift_mean"))
    background = every.transform_filter("datum.kind == 'background'")
    beside = (
        charts.line("y"),
        background.mark_line(color=style.MUTED, strokeDash=[4, 2]).encode(y=y),
        background.mark_point(color=style.MUTED, shape="square", filled=True).encode(y=y),
    )
    rare = every.transform_filter("datum.kind != 'background'").encode(color=color)
    names = json.dumps([first.classes[class_], first.classes[0]])
    of = {"dataset": first.dataset, "network": first.network, "measure": measure}
    kept = [f"datum.{key} == {json.dumps(value)}" for key, value in of.items()]
    points = rare.mark_point(filled=True, size=50).encode(y=y, shape=shape)
    return (
        alt.layer(
            charts.pointed(points, f"points_{place}_{measure}", over, picked),
            *(beside if measure == "shift_mean" else ()),
            rare.mark_rule().encode(y="ci_low:Q", y2="ci_high:Q"),
            rare.mark_line().encode(y=y),
        )
        .transform_filter(" && ".join([*kept, f"indexof({names}, datum['class']) >= 0"]))
        .transform_calculate(share="toNumber(datum.fraction)")
        .properties(
            width=250, height=150,
            title=f"{first.dataset}, {first.network}: {first.classes[class_]}",
        )
    )  # fmt: skip


def draw(study: Sequence[SegmentationResults]) -> Figure:
    """A row a drawn class of each dataset and network, a column a measure, a line a method."""
    rows = [(own, class_) for own in curves(study) for class_ in own[0].drawn]
    methods = list(dict.fromkeys(method for own, _ in rows for method in own[0].methods))
    figure, axes = style.grid(len(rows), len(MEASURES), height=2.2, width=3.4)
    for place, (own, class_) in enumerate(rows):
        for column, measure in enumerate(MEASURES):
            axis = axes[place][column]
            for number, method in enumerate(methods):
                look = style.method_look(number)
                _line(axis, own, method, measure, own[0].classes[class_], look, number)
            if measure == "shift_mean":
                background = (style.MUTED, "s")
                _line(axis, own, own[0].baseline, measure, own[0].classes[0], background, -1)
                axis.axhline(0, color=style.INK, lw=1, ls=style.DASHED)
            _dress(axis, own)
            if place == 0:
                axis.set_title(SEGMENTATION[measure].title)
        name = f"{own[0].dataset}, {own[0].network}: {own[0].classes[class_]}"
        axes[place][0].set_ylabel(style.label(name, 24))
    figure.supxlabel("share of the training pool", fontsize=9.5)
    handles = [
        style.key(style.plain(name), color=colour, marker=marker, ms=5)
        for name, (colour, marker) in zip(methods, map(style.method_look, range(99)), strict=False)
    ]
    handles.append(
        style.key("background, baseline", color=style.MUTED, marker="s", ms=5, ls=style.DASHED)
    )
    style.legend(figure, handles, most=5)
    return figure


def _line(
    axis: Axes,
    own: Sequence[SegmentationResults],
    method: str,
    measure: str,
    class_name: str,
    look: tuple[str, str],
    number: int,
) -> None:
    entries = pd.DataFrame([each.entry(method, measure, class_name) for each in own])
    shares = [float(each.fraction) * 1.02**number for each in own]  # Beside one another.
    colour, marker = look
    dashed = style.DASHED if number < 0 else "-"
    axis.plot(shares, entries["mean"], color=colour, marker=marker, ms=4.5, lw=1.5, ls=dashed)
    axis.vlines(shares, entries["ci_low"], entries["ci_high"], color=colour, lw=1)


def _dress(axis: Axes, own: Sequence[SegmentationResults]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(
        [float(each.fraction) for each in own], [f"{float(each.fraction):.0%}" for each in own]
    )
    axis.xaxis.set_minor_locator(NullLocator())
    style.gridlines(axis, "y")
