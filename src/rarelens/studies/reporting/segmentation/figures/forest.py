"""The baseline's shift and what each method gains, a row a rare class of each comparison."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting import charts, style
from rarelens.studies.reporting.segmentation.results import SegmentationResults

GAINS = ("dice", "sensitivity")
DIFFERENCE = ("baseline_difference", "difference_low", "difference_high")
ROW = (
    "datum.dataset + ', ' + datum.network + ', ' + format(toNumber(datum.fraction), '.0%')"
    " + ' of the training pool: ' + datum['class']"
)
"""A row's name, as `Results.title` and the class."""
MOST_ROWS, LEAST_ROWS = 40, 8
MOST_INCHES = 14.0
# No method has it.
RARE = "#882255"


class Line(NamedTuple):
    """A row of the figure: a rare class of one comparison."""

    results: SegmentationResults
    class_name: str

    @property
    def shift(self) -> pd.Series:
        """The baseline's."""
        return self.results.entry(self.results.baseline, "shift_mean", self.class_name)


def lines(study: Sequence[SegmentationResults], most: int = 0) -> tuple[list[Line], int]:
    """Those with the largest shift, in the study's order, and how many are left out.

    ``most``: at most so many; 0 for `MOST_ROWS`, of many methods as many as keep them apart.
    """
    if not most:
        methods = len({method for own in study for method in own.others})
        most = min(MOST_ROWS, max(LEAST_ROWS, int(MOST_INCHES / _row_inches(methods))))
    every = [Line(own, own.classes[class_]) for own in study for class_ in own.rare]
    sizes = pd.Series([abs(line.shift["mean"]) for line in every], dtype=float).fillna(0)
    kept = sizes.sort_values(ascending=False, kind="stable").index[:most]
    return [every[place] for place in sorted(kept)], len(every) - len(kept)


def numbers(
    study: Sequence[SegmentationResults], measures: Sequence[str] = ("shift_mean", *GAINS)
) -> pd.DataFrame:
    """Of rare classes and the background, a row a comparison, method, class and measure.

    ``kind``: of the baseline "rare class" or "background", else "other method".
    """
    frames = []
    for own in study:
        names = [own.classes[class_] for class_ in (*own.rare, 0)]
        where = {"dataset": own.dataset, "network": own.network, "fraction": own.fraction}
        rows = own.rows_of(measures, names)
        kinds = np.where(rows["class"] == own.classes[0], "background", "rare class")
        kinds = np.where(rows["method"] == own.baseline, kinds, "other method")
        frames.append(rows.assign(**where, kind=kinds)[[*where, "kind", *rows.columns]])
    return pd.concat(frames, ignore_index=True)


def chart(study: Sequence[SegmentationResults]) -> charts.Chart:
    """As `draw`, with a row for each background; the method under the pointer stands out."""
    shown, _ = lines(study)
    rows = [
        f"{own.title}: {name}"
        for own in study
        for name in [*(line.class_name for line in shown if line.results is own), own.classes[0]]
    ]
    methods = list(dict.fromkeys(method for own in study for method in own.others))
    step = max(20, 5 * len(methods))
    color = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=["rare class", "background"], range=[RARE, style.MUTED]),
        legend=alt.Legend(title=None),
    )
    shift = _Column("shift_mean", ("mean", "ci_low", "ci_high"), "Baseline's logit shift")
    columns = [shift.chart(rows, step, "datum.kind != 'other method'", color=color)]
    if methods:
        color, shape = charts.methods(methods, 2 * 280, 1)
        offset = alt.YOffset("method:N", sort=methods)
        gains = [
            _Column(measure, DIFFERENCE, f"Gain in {SEGMENTATION[measure].title}").chart(
                rows, step, "datum.kind == 'other method'", shape, color=color, yOffset=offset
            )
            for measure in GAINS
        ]
        columns.append(alt.hconcat(*gains))
    return alt.hconcat(*columns).resolve_scale(color="independent", shape="independent")


class _Column(NamedTuple):
    """A column of the interactive figure: which numbers of which measure."""

    measure: str
    numbers: tuple[str, str, str]
    title: str

    def chart(
        self, rows: Sequence[str], step: int, which: str, *shape: alt.Shape, **look: Any
    ) -> alt.LayerChart:
        """Points and intervals of the numbers that ``which`` keeps; the first has the names."""
        middle, low, high = self.numbers
        first = self.measure == "shift_mean"
        names = alt.Axis(labelLimit=420) if first else None
        over, picked = charts.over("method"), charts.picked("method")
        own = charts.base().encode(
            y=alt.Y("row:N", title=None, axis=names, scale=alt.Scale(domain=rows)),
            tooltip=charts.tooltip(
                ("dataset", "network", "fraction", "class", "method"),
                **{middle: self.title, low: "interval from", high: "to"},
            ),
            **({} if first else {"opacity": charts.faded(over, picked)}),
            **look,
        )
        points = own.mark_point(filled=True, size=45)
        across = own.mark_rule(strokeWidth=1.4)
        across = across.encode(x=alt.X(f"{low}:Q", title=None), x2=f"{high}:Q")
        points = points.encode(*shape, x=f"{middle}:Q")
        kept = f"datum.measure == '{self.measure}' && {which} && indexof(names, datum.row) >= 0"
        return (
            alt.layer(
                points if first else charts.pointed(points, f"points_{self.measure}", over, picked),
                charts.line(),
                across,
            )
            .transform_calculate(row=ROW)
            .transform_filter(kept.replace("names", json.dumps(list(rows))))
            .properties(width=250, height=step * len(rows), title=self.title)
        )


def draw(study: Sequence[SegmentationResults]) -> Figure:
    """Left the shift, the background's beside it; right each method's gain over the baseline."""
    shown, _ = lines(study)
    methods = list(dict.fromkeys(method for own in study for method in own.others))
    height = min(MOST_INCHES, len(shown) * _row_inches(len(methods)))
    figure, ((shifts, *gains),) = style.grid(1, 1 + len(GAINS), height=0.6 + height, width=3.6)
    for place, line in enumerate(shown):
        background = line.results.entry(
            line.results.baseline, "shift_mean", line.results.classes[0]
        )
        _interval(shifts, background, place + 0.15, ("mean", "ci_low", "ci_high"), style.MUTED, "s")
        _interval(shifts, line.shift, place - 0.15, ("mean", "ci_low", "ci_high"), RARE, "o")
        for axis, measure in zip(gains, GAINS, strict=True):
            _gains(axis, line, measure, methods, place)
    shifts.set_title("Baseline's logit shift")
    for axis, measure in zip(gains, GAINS, strict=True):
        axis.set_title(f"Gain in {SEGMENTATION[measure].title}")
    for axis in (shifts, *gains):
        names = [f"{line.results.title}: {line.class_name}" for line in shown]
        style.name_rows(axis, names if axis is shifts else [""] * len(names))
        axis.locator_params(axis="x", nbins=5)
        style.gridlines(axis, "x")
        style.boundary(axis)
    handles = [
        style.key("rare class", color=RARE, marker="o", ms=5),
        style.key("background", color=style.MUTED, marker="s", ms=5),
    ]
    for place, method in enumerate(methods):
        colour, marker = style.method_look(place + 1)
        handles.append(style.key(style.plain(method), color=colour, marker=marker, ms=5))
    style.legend(figure, handles, most=5)
    return figure


def _row_inches(methods: int) -> float:
    return max(0.3, 0.1 * methods)


def _gains(axis: Axes, line: Line, measure: str, methods: Sequence[str], place: int) -> None:
    for number, method in enumerate(methods):
        row = line.results.entry(method, measure, line.class_name)
        offset = 0.7 * ((number + 0.5) / len(methods) - 0.5)
        _interval(axis, row, place + offset, DIFFERENCE, *style.method_look(number + 1))


def _interval(
    axis: Axes, row: pd.Series, height: float, columns: tuple[str, str, str], colour: str, mark: str
) -> None:
    middle, low, high = (row[name] for name in columns)
    axis.plot([low, high], [height] * 2, color=colour, lw=1.3)
    axis.plot([middle], [height], color=colour, marker=mark, ms=4, ls="")
