"""Images with outlines and overlays: what the pictures of a classifier share."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

FINDING = "#00D0A0"
HEAT = "inferno"


def show(axis: Axes, image: NDArray[Any]) -> None:
    """An image (C, H, W), grey or RGB, of 8 or 16 bit."""
    shown = as_shown(image)
    if len(shown) == 1:
        axis.imshow(shown[0], cmap="gray", vmin=0, vmax=1)
    else:
        axis.imshow(shown.transpose(1, 2, 0))
    bare(axis)


def as_shown(image: NDArray[Any]) -> NDArray[np.float64]:
    """The same from 0 to 1, stretched where it is grey."""
    most = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
    scaled: NDArray[np.float64] = np.asarray(image / most, np.float64)
    if len(scaled) == 1:
        low, high = np.percentile(scaled, [0.5, 99.5])
        scaled = np.clip((scaled - low) / max(high - low, 1e-6), 0, 1)
    return scaled


def bare(axis: Axes) -> None:
    """Without ticks and frame."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def outline(axis: Axes, mask: NDArray[np.bool_], colour: str = FINDING) -> None:
    """The border of a region (H, W); none if it is empty or everything."""
    if mask.any() and not mask.all():
        axis.contour(mask, levels=[0.5], colors=[colour], linewidths=1.3)


def frames(axis: Axes, boxes: NDArray[Any], colour: str = FINDING) -> None:
    """Boxes (k, 4): x, y, width, height in pixels."""
    for x, y, width, height in boxes.reshape(-1, 4):
        corner = (x - 0.5, y - 0.5)
        axis.add_patch(Rectangle(corner, width, height, fill=False, ec=colour, lw=1.3))


def heat(axis: Axes, values: NDArray[Any]) -> Any:
    """A map (H, W) from 0 to 1, the more opaque the higher; returns what a colour bar needs."""
    opacity = 0.85 * np.clip(values, 0, 1) ** 0.7
    return axis.imshow(values, cmap=HEAT, vmin=0, vmax=1, alpha=opacity)


def tint(axis: Axes, mask: NDArray[np.bool_], colour: str) -> None:
    """A region (H, W) in one colour."""
    colours = np.zeros((*mask.shape, 4))
    colours[mask] = to_rgba(colour, 0.55)
    axis.imshow(colours, interpolation="nearest")
