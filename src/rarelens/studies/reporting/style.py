"""The look that all figures share, and how they are saved."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# Okabe and Ito's palette, told apart by all kinds of colour vision.
TRAIN = "#0072B2"
TEST = "#D55E00"
CORRECT = "#009E73"
MISSED = "#CC79A7"
FALSE_ALARM = "#F0B400"
INK = "#1f2933"
MUTED = "#7b8794"
FAINT = "#e4e7eb"
# For classes, where several stand in one picture; none is a colour of train or test.
CLASSES = ("#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6b4c9a", "#8c564b")
# For methods, where all stand in one picture: the baseline first.
METHODS = (INK, TEST, TRAIN, *CLASSES, "#999933", "#F0B400")
MARKERS = "osD^vP<X>ph"
DASHED = (0, (4, 2))
# Inches that the page shows at once.
WIDEST = 15.0
# Inches of an entry of a legend, beside and within its text.
LEGEND_SIGN, LEGEND_LETTER = 0.55, 0.07

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "rarelens",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the report's look, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def save(figure: Figure, file: Path, dpi: int) -> None:
    """Write a PNG whose bytes depend on the picture alone; the layout is found here, once."""
    figure.set_dpi(dpi)
    if layout := figure.get_layout_engine():
        layout.execute(figure)
        figure.set_layout_engine("none")
    # Not `savefig`, which draws everything twice: once before, for a layout.
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})  # type: ignore[no-untyped-call]


def save_svg(figure: Figure, file: Path) -> None:
    """Write an SVG, after `save`; its bytes depend on the picture alone, its text stays text."""
    file.parent.mkdir(exist_ok=True)
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.set_dpi(mpl.rcParams["figure.dpi"])  # of pictures in it; `save` has set its own
    FigureCanvasSVG(figure).print_svg(file, metadata=metadata)  # type: ignore[no-untyped-call]


def label(name: str, width: int = 14) -> str:
    """A method's or class's name on lines of at most about ``width`` letters."""
    return "\n".join(textwrap.wrap(plain(name), width, break_long_words=False))


def plain(name: str) -> str:
    """A name as words, with nothing that matplotlib would read as mathematics."""
    return name.replace("_", " ").replace("$", r"\$")


def grid(rows: int, columns: int, height: float, width: float) -> tuple[Figure, list[list[Axes]]]:
    """A figure of panels, each about ``width`` × ``height`` inches; not pyplot's, so no state."""
    size = (1.0 + width * columns, 0.9 + height * rows)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in axes]


def key(label: str, **look: Any) -> Line2D:
    """What a legend says of a line or marker."""
    return Line2D([], [], label=label, **look)


def legend(figure: Figure, handles: Sequence[Artist], most: int = 8) -> None:
    """A legend above the panels, of at most ``most`` columns; in sight where the page scrolls.

    It is no wider than the figure.
    """
    widest = LEGEND_SIGN + LEGEND_LETTER * max(len(str(each.get_label())) for each in handles)
    most = max(1, min(most, len(handles), int(figure.get_figwidth() / widest)))
    left = figure.get_figwidth() > WIDEST
    place: Any = "outside upper left" if left else "outside upper center"
    figure.legend(handles=handles, loc=place, ncols=most)


def gridlines(axis: Axes, which: Literal["both", "x", "y"] = "both") -> None:
    """Faint lines behind what is drawn."""
    axis.grid(axis=which, color=FAINT, lw=0.8)
    axis.set_axisbelow(True)


def boundary(axis: Axes, colour: str = INK) -> None:
    """A dashed line at 0: the decision boundary, or no shift."""
    axis.axvline(0, color=colour, lw=1, ls=DASHED)


def name_rows(axis: Axes, names: Sequence[str], space: float = 0.5) -> None:
    """Names instead of numbers, the first at the top."""
    axis.set_yticks(range(len(names)), [plain(name) for name in names])
    axis.set_ylim(len(names) - 1 + space, -space)
    axis.tick_params(axis="y", length=0)


def name_columns(axes: list[list[Axes]], names: Sequence[str]) -> None:
    """A name above each column; numbers only at the left and at the bottom."""
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(label(name))
    for row in axes[:-1]:
        for axis in row:
            axis.set_xticklabels([])
    for row in axes:
        for axis in row[1:]:
            axis.set_yticklabels([])


def same_heights(row: Sequence[Axes]) -> None:
    """The same limits from left to right, that hold what any of them shows."""
    limits = [axis.get_ylim() for axis in row]
    for axis in row:
        axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def inner_range(places: pd.Series, counts: pd.Series, left_out: float) -> tuple[int, int]:
    """The bins between which all but a share ``left_out`` lies, at either end.

    Args:
        places: of bins, in any order; they can repeat.
        counts: for each place; at least one is not 0.
        left_out: a share, 0 to 0.5.
    """
    total = counts.groupby(places).sum()
    share = (total.cumsum() / total.sum()).to_numpy()
    ends = np.searchsorted(share, [left_out, 1 - left_out])
    low, high = total.index.to_numpy()[np.minimum(ends, len(total) - 1)]
    return int(low), int(high)


def share_column_width(methods: int, least: float = 1.75, whole: float = 12.0) -> float:
    """Inches for each method's column: as wide as the page allows, at most 3.4."""
    return min(3.4, max(least, whole / methods))


def remark(axis: Axes, text: str) -> None:
    """Say in the middle of a panel why it is empty."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=MUTED)


def method_look(place: int) -> tuple[str, str]:
    """Colour and marker of the method at ``place``; the baseline stands at 0.

    Neither is that of another method, up to 33; of a lighter or darker colour the marker differs.
    """
    again = place // len(METHODS)
    return shade(METHODS, place), MARKERS[(place + again) % len(MARKERS)]


def shade(palette: Sequence[str], place: int) -> str:
    """The colour at ``place``; past the palette's end its colours lighter, then darker."""
    again, place = divmod(place, len(palette))
    share = 0.45 if again else 0.0
    towards = 1.0 if again % 2 else 0.0
    mixed = (1 - share) * np.array(to_rgb(palette[place])) + share * towards
    return to_hex(tuple(mixed))


def spread(places: Sequence[float], least: float) -> list[float]:
    """Rising ``places``, moved apart as little as is needed for gaps of at least ``least``."""
    moved = list(places)
    for _ in range(100 * len(moved)):
        close = [i for i in range(len(moved) - 1) if moved[i + 1] - moved[i] < least - 1e-9]
        if not close:
            break
        for i in close:
            lack = (least - (moved[i + 1] - moved[i])) / 2
            moved[i] -= lack
            moved[i + 1] += lack
    return moved
