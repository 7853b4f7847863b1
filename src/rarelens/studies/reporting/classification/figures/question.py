"""Pairs of methods: the difference in performance against the difference inside."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rarelens.studies.catalogue import with_role
from rarelens.studies.reporting import charts, style
from rarelens.studies.reporting.classification.question import NAMES
from rarelens.studies.reporting.classification.results import ClassificationResults

SHOWN = ("energy_inside", "pointing_game")
COLOURS = {"equivalent": style.TEST, "undecided": style.MUTED, "different": style.TRAIN}
SEEDS = "CKA between seeds"
# Pairs with a number beside their point, at most.
NUMBERED = 8


def draw(results: ClassificationResults) -> Figure:
    """A row a measure of performance, a column a quantity inside; a cross a pair."""
    table = numbers(results)
    rows, columns = with_role("performance"), (*SHOWN, "cka")
    figure, axes = style.grid(len(rows), len(columns), height=2.7, width=3.7)
    for row, performance in enumerate(rows):
        for column, quantity in enumerate(columns):
            axis = axes[row][column]
            own = table[(table["performance"] == performance) & (table["quantity"] == quantity)]
            for pair in own[::-1].itertuples():
                _cross(axis, pair)
            if quantity != "cka":
                axis.axhline(0, color=style.MUTED, lw=0.8, zorder=0)
            axis.set_ylabel("CKA" if quantity == "cka" else "difference of the pair")
            axis.axvline(0, color=style.MUTED, lw=0.8, zorder=0)
            axis.set_xlabel(f"difference in mean {NAMES[performance]}")
            axis.margins(0.12)
            axis.locator_params(nbins=6)
    for axis, title in zip(axes[0], _titles(results), strict=True):
        axis.set_title(title)
    _legend(figure)
    return figure


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """A row a pair, measure of performance and quantity inside, in the means over classes.

    Each pair is turned so that its first method performs better. ``gain``: in performance, and
    ``value``: of the quantity, first method less second, with intervals; of CKA the pair's, and
    ``low`` is that between seeds of one method.
    """
    rows = []
    for performance in with_role("performance"):
        for pair in results.pairs:
            x = pair.row(performance)
            sign = -1 if x["difference"] < 0 else 1
            names = [pair.method_a, pair.method_b][::sign]
            common = {
                "pair": pair.number, "better": names[0], "other": names[1],
                "answer": pair.answer.performance,
                "inside": "different" if pair.answer.inside else "undecided",
                "performance": performance, **_turned(x, sign, "gain", "gain_low", "gain_high"),
            }  # fmt: skip
            rows += [
                {
                    **common,
                    "quantity": name,
                    **_turned(pair.row(name), sign, "value", "low", "high"),
                }
                for name in SHOWN
            ]
            cka = pair.row("cka", results.layers[-1])
            own = {"value": cka["value_a"], "low": cka["value_b"], "high": cka["value_a"]}
            rows.append({**common, "quantity": "cka", **own})
    return pd.DataFrame(rows)


def chart(results: ClassificationResults) -> charts.Chart:
    """As `draw`; the pair under the pointer stands out in all panels."""
    titles = dict(zip((*SHOWN, "cka"), _titles(results), strict=True))
    return alt.vconcat(
        *(
            alt.hconcat(
                *(_panel(performance, quantity, title) for quantity, title in titles.items())
            )
            for performance in with_role("performance")
        )
    )


def _panel(performance: str, quantity: str, title: str) -> alt.LayerChart:
    features = quantity == "cka"
    over = charts.over("pair")
    answers = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
    inside = alt.Scale(domain=["undecided", "different"], range=["circle", "diamond"])
    differing = alt.Legend(title=None, labelExpr="datum.label + ' inside'")
    gain = f"difference in mean {NAMES[performance]}"
    words = {"gain": gain, "gain_low": "interval from", "gain_high": "to", "value": title}
    words |= {"low": SEEDS} if features else {"low": "interval from ", "high": "to "}
    own = charts.base().encode(
        x=alt.X("gain:Q", title=gain, scale=alt.Scale(padding=12)),
        color=alt.Color("answer:N", scale=answers, legend=alt.Legend(title=None)),
        opacity=charts.faded(over),
        tooltip=charts.tooltip(("pair", "better", "other", "answer", "inside"), **words),
    )
    scale = alt.Scale(zero=False, padding=12)
    y = alt.Y("value:Q", title="CKA" if features else "difference of the pair", scale=scale)
    other = (
        own.mark_tick(color=style.MUTED, width=12).encode(y="low:Q")
        if features
        else own.mark_rule().encode(x="gain_low:Q", x2="gain_high:Q", y=y)
    )
    points = own.mark_point(filled=True, size=70).encode(
        y=y, shape=alt.Shape("inside:N", scale=inside, legend=differing)
    )
    name = f"{performance}_{quantity}"
    return (
        alt.layer(
            *([] if features else [charts.line("y")]),
            charts.line("x"),
            other,
            own.mark_rule().encode(y="low:Q", y2="high:Q"),
            charts.pointed(points, f"points_{name}", over, charts.zoomed(f"zoom_{name}")),
        )
        .transform_filter(f"datum.performance == '{performance}' && datum.quantity == '{quantity}'")
        .properties(width=260, height=200, title=title)
    )


def _titles(results: ClassificationResults) -> list[str]:
    return [
        *(NAMES[name] for name in SHOWN),
        f"features of layer {style.plain(results.layers[-1])}",
    ]


def _turned(row: pd.Series, sign: int, *names: str) -> dict[str, float]:
    """Difference and interval under these names, the other way round where ``sign`` is −1."""
    bounds = [sign * float(row[name]) for name in ("low", "high")][::sign]
    return dict(zip(names, (sign * float(row["difference"]), *bounds), strict=True))


def _cross(axis: Axes, row: Any) -> None:
    """The pair's point and intervals; of CKA a bar at what seeds of the same method have."""
    hidden = row.answer == "equivalent" and row.inside == "different"
    colour, size = COLOURS[row.answer], 7.5 if hidden else 5.5
    axis.vlines(row.gain, row.low, row.high, color=colour, lw=0.9, alpha=0.55)
    if row.quantity == "cka":
        axis.plot([row.gain], [row.low], marker="_", ms=9, color=style.MUTED, ls="")
    else:
        axis.hlines(row.value, row.gain_low, row.gain_high, color=colour, lw=0.9, alpha=0.55)
    marker = "D" if row.inside == "different" else "o"
    axis.plot(
        [row.gain], [row.value], marker=marker, ms=size, color=colour, mec="white", mew=0.7, ls=""
    )
    if hidden and row.pair <= NUMBERED:
        axis.annotate(
            str(row.pair), (row.gain, row.value), xytext=(5, 4), textcoords="offset points",
            fontsize=8.5, fontweight="bold", color=style.INK,
        )  # fmt: skip


def _legend(figure: Figure) -> None:
    handles = [
        *(_key("o", colour, name) for name, colour in COLOURS.items()),
        _key("D", style.INK, "different inside"),
        _key("_", style.MUTED, SEEDS),
    ]
    style.legend(figure, handles)


def _key(marker: str, colour: str, name: str) -> Line2D:
    edge = colour if marker == "_" else "white"
    return style.key(name, color=colour, marker=marker, ms=7.5, mec=edge, ls="")
