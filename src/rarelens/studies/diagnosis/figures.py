"""Figures of the page, drawn in the report's style."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rarelens.measures.class_summary import BIN_WIDTH
from rarelens.studies.diagnosis.findings import shift_of
from rarelens.studies.diagnosis.record import CaseRecord
from rarelens.studies.diagnosis.results import offset_dice
from rarelens.studies.reporting import style

Rows = Sequence[Mapping[str, Any]]
Records = Sequence[CaseRecord]
COLOURS = {"train": style.TRAIN, "unseen": style.TEST}
STEP = 8  # Fine bins of margins in one that is drawn: half a logit.
COLUMNS = 3
OUTSIDE = 0.002
"""The share of voxels, at either end, that the axis of margins may leave out."""


def embedded(figure: Figure) -> str:
    """The figure as a PNG within the page."""
    file = io.BytesIO()
    figure.savefig(file, dpi=110, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def shift_figure(rows: Rows) -> Figure | None:
    """The shift of each class with its interval; None without a training side."""
    every = [(row, *shift_of(row)) for row in rows]
    found = [(row, middle, low, high) for row, middle, low, high in every if middle is not None]
    if not found:
        return None
    figure, axes = style.grid(1, 1, height=0.5 + 0.34 * len(found), width=7.5)
    axis = axes[0][0]
    for place, (row, difference, low, high) in enumerate(found):
        colour = style.TEST if row["rare"] else style.MUTED
        if low is not None and high is not None:
            axis.hlines(place, low, high, color=colour, lw=2.2)
        axis.plot([difference], [place], "o", ms=7, color=colour, mec="white", mew=0.8)
    style.boundary(axis)
    style.name_rows(axis, [row["name"] for row, *_ in found])
    style.gridlines(axis, "x")
    axis.set_xlabel("logit shift: margin of unseen patients − that of training patients")
    return figure


def margins_figure(rows: Rows, records: Records) -> Figure | None:
    """Margins of each class, training beside unseen, each patient's case with one vote."""
    shown = [row for row in rows if any(_density(records, s, row["index"]) for s in COLOURS)]
    if not shown:
        return None
    figure, panels = _panels(len(shown), height=2.2)
    for row, axis in zip(shown, panels, strict=False):
        _margins(axis, row, records)
    figure.supxlabel("logit margin of the true class (below 0: misclassified)", fontsize=9.5)
    handles = [
        style.key(f"{side} cases", color=colour, lw=2)
        for side, colour in COLOURS.items()
        if any(_density(records, side, row["index"]) for row in shown)
    ]
    handles.append(style.key("decision boundary", color=style.INK, lw=1, ls=style.DASHED))
    style.legend(figure, handles)
    return figure


def offsets_figure(rows: Rows, records: Records) -> Figure | None:
    """Mean Dice of unseen patients against the offset on the class's logit."""
    from rarelens.measures.class_offsets import OFFSETS

    curves = {row["name"]: list(offset_dice(records, row["index"]).values()) for row in rows[1:]}
    curves = {name: own for name, own in curves.items() if own}
    if not curves:
        return None
    figure, panels = _panels(len(curves), height=2.0)
    values = {row["name"]: row["offset"]["value"] for row in rows}
    for (name, own), axis in zip(curves.items(), panels, strict=False):
        mean = np.mean(own, axis=0)
        axis.plot(OFFSETS, np.transpose(own), color=style.MUTED, lw=0.6, alpha=0.45)
        axis.plot(OFFSETS, mean, color=style.INK, lw=2)
        style.boundary(axis, style.MUTED)
        chosen = values[name]
        axis.plot(
            [chosen], [mean[np.searchsorted(OFFSETS, chosen)]], "o", ms=8, color=style.TEST,
            mec="white", zorder=5,
        )  # fmt: skip
        axis.set_title(style.label(name, 24))
        axis.set(ylim=(0, 1), xlim=(OFFSETS[0], OFFSETS[-1]))
        style.gridlines(axis)
    figure.supxlabel("offset on the class's logit (above 0: predicted more often)", fontsize=9.5)
    figure.supylabel("Dice", fontsize=9.5)
    handles = [
        style.key("mean over unseen patients", color=style.INK, lw=2),
        style.key("a patient", color=style.MUTED, lw=1),
        style.key("fitted", color=style.TEST, marker="o", ls=""),
    ]
    style.legend(figure, handles)
    return figure


def _margins(axis: Axes, row: Mapping[str, Any], records: Records) -> None:
    axis.axvspan(-1e6, 0, color=style.FAINT, alpha=0.6, lw=0)
    style.boundary(axis)
    low, high = 0.0, 0.0
    for side, colour in COLOURS.items():
        density = _density(records, side, row["index"])
        if density is None:
            continue
        edges, heights = density
        share = np.cumsum(heights) / heights.sum()
        low = min(low, edges[np.searchsorted(share, OUTSIDE)])
        high = max(high, edges[np.searchsorted(share, 1 - OUTSIDE) + 1])
        axis.stairs(heights, edges, color=colour, lw=1.5)
        axis.stairs(heights, edges, color=colour, alpha=0.22, fill=True, lw=0)
        axis.plot(
            [row[side]["margin_mean"]], [0], "^", ms=7, color=colour, mec="white", clip_on=False,
            zorder=5,
        )  # fmt: skip
    axis.set_title(style.label(row["name"], 24))
    axis.set(xlim=(min(low, -1), max(high, 1)), ylim=(0, None), yticks=[])


def _density(records: Records, side: str, index: int) -> tuple[Any, Any] | None:
    """Edges and heights; the mean of the cases' own densities."""
    own = [
        one.classes[index].margins.counts  # type: ignore[union-attr]
        for one in records
        if one.side == side and one.classes[index].margins is not None
    ]
    if not own:
        return None
    places = [counts.bins // STEP for counts in own]
    first, last = min(p[0] for p in places), max(p[-1] for p in places)
    heights = np.zeros(last - first + 1)
    for counts, place in zip(own, places, strict=True):
        heights += np.bincount(place - first, counts.counts, len(heights)) / counts.counts.sum()
    edges = np.arange(first, last + 2) * STEP * BIN_WIDTH
    return edges, heights / len(own) / (STEP * BIN_WIDTH)


def _panels(number: int, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(COLUMNS, number)
    figure, axes = style.grid(-(-number // columns), columns, height=height, width=3.3)
    panels = [axis for row in axes for axis in row]
    for axis in panels[number:]:
        axis.set_axis_off()
    return figure, panels
