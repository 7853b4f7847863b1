"""Pairs of methods: the difference in performance against the difference inside."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rarelens.studies.catalogue import with_role
from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.pairs import Pair
from rarelens.studies.reporting.classification.question import NAMES
from rarelens.studies.reporting.classification.results import ClassificationResults

SHOWN = ("energy_inside", "pointing_game")
COLOURS = {"equivalent": style.TEST, "undecided": style.MUTED, "different": style.TRAIN}
# Pairs with a number beside their point, at most.
NUMBERED = 8


def draw(results: ClassificationResults) -> Figure:
    """A row a measure of performance, a column a quantity inside; a cross a pair."""
    rows = with_role("performance")
    figure, axes = style.grid(len(rows), len(SHOWN) + 1, height=2.7, width=3.7)
    for row, performance in enumerate(rows):
        for column, quantity in enumerate(SHOWN):
            axis = axes[row][column]
            for pair in reversed(results.pairs):
                _cross(axis, pair, pair.row(performance), pair.row(quantity))
            axis.axhline(0, color=style.MUTED, lw=0.8, zorder=0)
            axis.set_ylabel("difference of the pair")
        axis = axes[row][-1]
        for pair in reversed(results.pairs):
            _cka(axis, results, pair, performance)
        axis.set_ylabel("CKA")
        for axis in axes[row]:
            axis.axvline(0, color=style.MUTED, lw=0.8, zorder=0)
            axis.set_xlabel(f"difference in mean {NAMES[performance]}")
            axis.margins(0.12)
            axis.locator_params(nbins=6)
    features = f"features of layer {style.plain(results.layers[-1])}"
    for axis, title in zip(axes[0], (*(NAMES[name] for name in SHOWN), features), strict=True):
        axis.set_title(title)
    _legend(figure)
    return figure


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """Differences in the mean over classes, first method less second; of CKA both its values."""
    shown = [*with_role("performance"), *SHOWN, "cka"]
    rows = results.pair_rows
    rows = rows[rows["quantity"].isin(shown) & (rows["class"] == "mean")]
    columns = ["method_a", "method_b", "quantity", "layer", "value_a", "value_b"]
    return rows[[*columns, "difference", "low", "high"]]


def _turned(performance: pd.Series) -> int:
    """Each pair is written so that its first method performs better."""
    return -1 if performance["difference"] < 0 else 1


def _cross(axis: Axes, pair: Pair, x: pd.Series, y: pd.Series) -> None:
    sign = _turned(x)
    colour, size = _look(pair)
    for bounds, across in ((x, True), (y, False)):
        low, high = sorted((sign * bounds["low"], sign * bounds["high"]))
        line = axis.hlines if across else axis.vlines
        other = sign * (y if across else x)["difference"]
        line(other, low, high, color=colour, lw=0.9, alpha=0.55)
    _point(axis, pair, sign * x["difference"], sign * y["difference"], size, colour)


def _cka(axis: Axes, results: ClassificationResults, pair: Pair, performance: str) -> None:
    """CKA of the pair, and a bar at what seeds of the same method have."""
    x, cka = pair.row(performance), pair.row("cka", results.layers[-1])
    place = _turned(x) * x["difference"]
    colour, size = _look(pair)
    axis.vlines(place, cka["value_a"], cka["value_b"], color=colour, lw=0.9, alpha=0.55)
    axis.plot([place], [cka["value_b"]], marker="_", ms=9, color=style.MUTED, ls="")
    _point(axis, pair, place, cka["value_a"], size, colour)


def _point(axis: Axes, pair: Pair, x: float, y: float, size: float, colour: str) -> None:
    marker = "D" if pair.answer.inside else "o"
    axis.plot([x], [y], marker=marker, ms=size, color=colour, mec="white", mew=0.7, ls="")
    if pair.answer.hidden and pair.number <= NUMBERED:
        axis.annotate(
            str(pair.number), (x, y), xytext=(5, 4), textcoords="offset points", fontsize=8.5,
            fontweight="bold", color=style.INK,
        )  # fmt: skip


def _look(pair: Pair) -> tuple[str, float]:
    return COLOURS[pair.answer.performance], 7.5 if pair.answer.hidden else 5.5


def _legend(figure: Figure) -> None:
    handles = [
        *(_key("o", colour, name) for name, colour in COLOURS.items()),
        _key("D", style.INK, "different inside"),
        _key("_", style.MUTED, "CKA between seeds"),
    ]
    style.legend(figure, handles)


def _key(marker: str, colour: str, name: str) -> Line2D:
    edge = colour if marker == "_" else "white"
    return style.key(name, color=colour, marker=marker, ms=7.5, mec=edge, ls="")
