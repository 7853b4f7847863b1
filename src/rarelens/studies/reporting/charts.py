"""Interactive forms of figures: Vega-Lite over the table of a figure's numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import altair as alt
import pandas as pd
from altair.utils.schemapi import debug_mode
from pandas.api.types import is_numeric_dtype

from rarelens.studies.reporting import style

# Of one panel or of many.
Chart: TypeAlias = alt.TopLevelMixin

# As `style.MARKERS`.
_SHAPES = (
    *("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-left"),
    *("M-1,-1L1,1M-1,1L1,-1", "triangle-right", "wedge", "arrow"),
)
# A method is written with spaces, a number with a sign that is not a hyphen.
PLAIN = "replace(datum.label, regexp('_', 'g'), ' ')"
_NUMBERS = alt.NamedData(name="numbers")
_CONFIG = {
    "background": "white",
    "view": {"stroke": style.FAINT},
    "axis": {
        "gridColor": style.FAINT,
        "domainColor": style.MUTED,
        "labelColor": style.INK,
        "titleColor": style.INK,
        "titleFontWeight": "normal",
    },
    "header": {"labelColor": style.INK, "labelFontWeight": "bold", "labelLimit": 320},
    "legend": {"labelColor": style.INK, "orient": "top", "labelLimit": 320, "columns": 8},
    "title": {"color": style.INK, "fontSize": 12},
}


def base() -> alt.Chart:
    """A chart of the figure's numbers."""
    return alt.Chart(_NUMBERS)


def line(axis: str = "x", at: float = 0) -> alt.Chart:
    """A dashed line: the decision boundary, no difference, or what guessing gives."""
    drawn = base().transform_aggregate(rows="count()").mark_rule(strokeDash=[4, 2])
    return drawn.encode(**{axis: alt.datum(at)})


@contextmanager
def unchecked() -> Iterator[None]:
    """What is made within is not compared, part by part, with the whole schema; the tests do it."""
    with debug_mode(False):
        yield


def spec(chart: Chart, numbers: pd.DataFrame) -> str:
    """The chart as JSON; which columns of its table are numbers stands in it, not the table."""
    made = chart.to_dict()
    del made["$schema"]
    kinds = {str(name): "number" for name, own in numbers.items() if is_numeric_dtype(own)}
    made["data"] = {"name": "numbers", "format": {"parse": kinds}}
    return json.dumps({**made, "config": _CONFIG}, sort_keys=True, separators=(",", ":"))


def pointed(marks: alt.Chart, name: str, *chosen: alt.Parameter) -> alt.Chart:
    """Marks that the pointer chooses, of a name of their own: altair would count otherwise."""
    return marks.properties(name=name).add_params(*chosen)


def over(field: str) -> alt.Parameter:
    """What the pointer is over: the marks that share its ``field``, all if it is over none."""
    return alt.selection_point(name="over", on="pointerover", clear="pointerout", fields=[field])


def picked(field: str) -> alt.Parameter:
    """The marks of the ``field`` that a click into the legend keeps in sight; all before that.

    Vega-Lite asks the first layer whether its legend can be clicked into: marks with this selection
    are that.
    """
    return alt.selection_point(name="picked", fields=[field], bind="legend")


def faded(over: alt.Parameter, kept: alt.Parameter | None = None) -> Any:
    """Of what is not chosen, little is seen."""
    return alt.condition(over & kept if kept else over, alt.value(1), alt.value(0.12))


def zoomed(name: str, encodings: Sequence[str] = ("x", "y")) -> alt.Parameter:
    """Dragging moves the axes, Shift and the wheel stretch them; a double click undoes it."""
    return alt.selection_interval(
        name=name, bind="scales", encodings=list(encodings), zoom="wheel![event.shiftKey]"
    )


def key(names: Sequence[str], width: int, **look: Any) -> alt.Legend:
    """A legend above panels that are ``width`` pixels wide together, and no wider than these."""
    widest = 32 + 5.8 * max(map(len, names), default=0)
    columns = max(1, min(len(names), int(width / widest)))
    return alt.Legend(title=None, columns=columns, **look)


def methods(names: Sequence[str], width: int, first: int = 0) -> tuple[alt.Color, alt.Shape]:
    """Colour and marker of methods, as `style.method_look` from the place ``first`` on.

    ``width``: of the panels below their legend, in pixels.
    """
    looks = [style.method_look(first + place) for place in range(len(names))]
    legend = key(names, width, labelExpr=PLAIN)
    colours = alt.Scale(domain=list(names), range=[colour for colour, _ in looks])
    shapes = [_SHAPES[style.MARKERS.index(marker)] for _, marker in looks]
    return (
        alt.Color("method:N", scale=colours, legend=legend),
        alt.Shape("method:N", scale=alt.Scale(domain=list(names), range=shapes), legend=legend),
    )


def tooltip(names: Sequence[str], **numbers: str) -> list[alt.Tooltip]:
    """Texts by their names, then numbers: field → title."""
    texts = [alt.Tooltip(f"{name}:N") for name in names]
    return texts + [alt.Tooltip(f"{n}:Q", title=t, format=".4g") for n, t in numbers.items()]
