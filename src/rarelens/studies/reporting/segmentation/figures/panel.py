"""One slice of a test subject: image, truth, and each method's prediction and margin."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from rarelens.studies.reporting import style
from rarelens.studies.reporting.results import Arrays
from rarelens.studies.reporting.segmentation.results import SegmentationResults

LEAST_WINDOW = 36
PADDING = 8
MARGIN_MAP = "PuOr_r"


def draw(results: SegmentationResults, number: int) -> Figure:
    """Image above truth, then per method its agreement with the truth above its margin map.

    Args:
        results: what is drawn.
        number: of the panel, from 1.
    """
    panel = results.panels[number - 1]
    first = panel[results.baseline]
    window = _window([first["truth"] > 0, *(panel[m]["prediction"] > 0 for m in results.pictured)])
    width = min(2.5, style.share_column_width(len(results.pictured) + 1, least=1.5))
    figure, axes = style.grid(2, len(results.pictured) + 1, height=width, width=width)
    grey = _grey_range(first["image"])
    _picture(axes[0][0], first["image"], grey)
    _frame(axes[0][0], window)
    axes[0][0].set_title("image")
    _picture(axes[1][0], first["image"][window], grey)
    _overlay(axes[1][0], _truth_colours(first["truth"][window]))
    axes[1][0].set_title("truth")
    limit = _margin_limit(results, panel)
    for column, method in enumerate(results.pictured, start=1):
        arrays = {name: array[window] for name, array in panel[method].items()}
        _picture(axes[0][column], arrays["image"], grey)
        _overlay(axes[0][column], _agreement(arrays["truth"], arrays["prediction"]))
        axes[0][column].set_title(style.label(method))
        mapped = _margin(axes[1][column], arrays, limit)
    for row, name in zip(axes, ("prediction", "margin map"), strict=True):
        row[1].text(
            -0.03, 0.5, name, transform=row[1].transAxes, rotation=90, ha="right", va="center"
        )
    figure.colorbar(
        mapped, ax=[row[-1] for row in axes], shrink=0.7, label="margin of the rare classes (logit)"
    )
    _legend(figure, results, first)
    return figure


def _picture(axis: Axes, image: NDArray[Any], grey: tuple[float, float]) -> None:
    axis.imshow(image.T, origin="lower", cmap="gray", vmin=grey[0], vmax=grey[1])
    axis.set_axis_off()


def _overlay(axis: Axes, colours: NDArray[np.float64]) -> None:
    axis.imshow(colours.transpose(1, 0, 2), origin="lower", interpolation="nearest")


def _frame(axis: Axes, window: tuple[slice, slice]) -> None:
    """Where the other pictures look."""
    x, y = window
    corner = (x.start - 0.5, y.start - 0.5)
    size = (x.stop - x.start, y.stop - y.start)
    axis.add_patch(Rectangle(corner, *size, fill=False, ec="white", lw=1.2))


def _margin(axis: Axes, arrays: Arrays, limit: float) -> Any:
    mapped = axis.imshow(
        arrays["margin"].T, origin="lower", cmap=MARGIN_MAP, vmin=-limit, vmax=limit
    )
    truth = arrays["truth"].T > 0
    if truth.any() and not truth.all():
        axis.contour(truth, levels=[0.5], colors=[style.INK], linewidths=1.1)
    axis.set_axis_off()
    return mapped


def _agreement(truth: NDArray[Any], prediction: NDArray[Any]) -> NDArray[np.float64]:
    """RGBA (X, Y, 4): correct, missed (or taken for another class), false alarm."""
    colours = np.zeros((*truth.shape, 4))
    colours[(truth > 0) & (prediction == truth)] = to_rgba(style.CORRECT, 0.8)
    colours[(truth > 0) & (prediction != truth)] = to_rgba(style.MISSED, 0.85)
    colours[(truth == 0) & (prediction > 0)] = to_rgba(style.FALSE_ALARM, 0.85)
    return colours


def _truth_colours(truth: NDArray[Any]) -> NDArray[np.float64]:
    colours = np.zeros((*truth.shape, 4))
    for label in np.unique(truth[truth > 0]):
        colours[truth == label] = to_rgba(class_colour(int(label)), 0.8)
    return colours


def class_colour(label: int) -> str:
    """Of a class in the truth; apart from the colours of agreement."""
    return ("#56B4E9", "#6b4c9a", "#8c564b", "#B7E3A1", "#f7b6d2", "#c49c94")[(label - 1) % 6]


def _window(masks: list[NDArray[np.bool_]]) -> tuple[slice, slice]:
    """A square around the truth; around everything if there is none."""
    shape = masks[0].shape
    mask = masks[0] if masks[0].any() else np.any(masks, axis=0)
    if not mask.any():
        return slice(0, shape[0]), slice(0, shape[1])
    places = np.nonzero(mask)
    extent = max(int(np.ptp(axis)) + 1 for axis in places)
    side = max(LEAST_WINDOW, extent + 2 * PADDING)
    slices = []
    for axis, length in zip(places, shape, strict=True):
        size = min(side, length)
        middle = (int(axis.min()) + int(axis.max()) + 1) // 2
        start = min(max(0, middle - size // 2), length - size)
        slices.append(slice(start, start + size))
    return slices[0], slices[1]


def _grey_range(image: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(image, [1, 99.5])
    return float(low), float(max(high, low + 1e-6))


def _margin_limit(results: SegmentationResults, panel: dict[str, Arrays]) -> float:
    """The same for all methods: the margins of the true structure within the scale."""
    values = [panel[m]["margin"][panel[m]["truth"] > 0] for m in results.pictured]
    known = np.abs(np.concatenate(values))
    return float(max(1.0, np.percentile(known, 98))) if known.size else 1.0


def _legend(figure: Figure, results: SegmentationResults, first: Arrays) -> None:
    handles = [
        Patch(
            color=class_colour(int(label)),
            label=f"truth: {style.plain(results.classes[int(label)])}",
        )
        for label in np.unique(first["truth"][first["truth"] > 0])
    ]
    handles += [
        Patch(color=style.CORRECT, label="correct"),
        Patch(color=style.MISSED, label="missed"),
        Patch(color=style.FALSE_ALARM, label="false alarm"),
    ]
    style.legend(figure, handles)
