"""The baseline's shift and what each method gains, a row a rare class of each comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting import style
from rarelens.studies.reporting.segmentation.results import SegmentationResults

GAINS = ("dice", "sensitivity")
MOST_ROWS = 40
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


def lines(study: Sequence[SegmentationResults], most: int = MOST_ROWS) -> tuple[list[Line], int]:
    """Those with the largest shift, in the study's order, and how many are left out."""
    every = [Line(own, own.classes[class_]) for own in study for class_ in own.rare]
    sizes = pd.Series([abs(line.shift["mean"]) for line in every], dtype=float).fillna(0)
    kept = sizes.sort_values(ascending=False, kind="stable").index[:most]
    return [every[place] for place in sorted(kept)], len(every) - len(kept)


def numbers(
    study: Sequence[SegmentationResults], measures: Sequence[str] = ("shift_mean", *GAINS)
) -> pd.DataFrame:
    """Of rare classes and the background, a row a comparison, method, class and measure."""
    frames = []
    for own in study:
        names = [own.classes[class_] for class_ in (*own.rare, 0)]
        where = {"dataset": own.dataset, "network": own.network, "fraction": own.fraction}
        rows = own.rows_of(measures, names).assign(**where)
        frames.append(rows[[*where, *rows.columns[:-3]]])
    return pd.concat(frames, ignore_index=True)


def draw(study: Sequence[SegmentationResults]) -> Figure:
    """Left the shift, the background's beside it; right each method's gain over the baseline."""
    shown, _ = lines(study)
    methods = list(dict.fromkeys(method for own in study for method in own.others))
    height = min(14.0, len(shown) * max(0.3, 0.1 * len(methods)))
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


def _gains(axis: Axes, line: Line, measure: str, methods: Sequence[str], place: int) -> None:
    columns = ("baseline_difference", "difference_low", "difference_high")
    for number, method in enumerate(methods):
        row = line.results.entry(method, measure, line.class_name)
        offset = 0.7 * ((number + 0.5) / len(methods) - 0.5)
        _interval(axis, row, place + offset, columns, *style.method_look(number + 1))


def _interval(
    axis: Axes, row: pd.Series, height: float, columns: tuple[str, str, str], colour: str, mark: str
) -> None:
    middle, low, high = (row[name] for name in columns)
    axis.plot([low, high], [height] * 2, color=colour, lw=1.3)
    axis.plot([middle], [height], color=colour, marker=mark, ms=4, ls="")
