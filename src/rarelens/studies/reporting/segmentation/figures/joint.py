"""Two-dimensional logit plots: background logit against class logit, training above test."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from rarelens.studies.reporting import style
from rarelens.studies.reporting.segmentation.results import SegmentationResults

BINS = 90
OUTSIDE = 0.002
BACKGROUND = "#6b7785"
SIDES = (("train", "training subjects", style.TRAIN), ("test", "test subjects", style.TEST))


def draw(results: SegmentationResults, class_: int) -> Figure:
    """Where voxels of the background and of ``class_`` lie, with the boundary z_0 = z_c.

    Colour deepens with the logarithm of the share of the class's voxels; background voxels are
    grey, those of the class have the side's colour.
    """
    rows = _of(results, class_)
    low, high = _limits(rows)
    step = max(1, round((high - low) / BINS))
    edges = np.arange(low // step, high // step + 2)
    width = style.share_column_width(len(results.pictured))
    figure, axes = style.grid(2, len(results.pictured), height=width * 0.96, width=width)
    scale = step * results.joint_bin_width
    extent = (float(edges[0] * scale), float(edges[-1] * scale))
    for row, (side, title, colour) in enumerate(SIDES):
        for column, method in enumerate(results.pictured):
            axis = axes[row][column]
            own = rows[(rows["side"] == side) & (rows["method"] == method)]
            picture = np.ones((len(edges) - 1, len(edges) - 1, 3))
            for true, ink in ((0, BACKGROUND), (class_, colour)):
                density = _density(own[own["class"] == true], edges, step)
                picture = _stain(picture, density, ink)
            _panel(axis, picture, extent)
        axes[row][0].set_ylabel(title, fontweight="bold", color=colour)
    style.name_columns(axes, results.pictured)
    name = style.plain(results.classes[class_])
    figure.supxlabel("logit of background $z_0$", fontsize=9.5)
    figure.supylabel(f"logit of {name} $z_{{{class_}}}$", fontsize=9.5)
    _legend(figure, name)
    return figure


def numbers(results: SegmentationResults, class_: int) -> pd.DataFrame:
    """Voxels of each bin of both logits, by the edge of the bin, a row a method, side and class."""
    rows = _of(results, class_)
    width = results.joint_bin_width
    edges = {"background_logit": rows["bin_x"] * width, "class_logit": rows["bin_y"] * width}
    columns = ["method", "side", "class", *edges, "count"]
    return results.named(rows.assign(**edges))[columns]


def _of(results: SegmentationResults, class_: int) -> pd.DataFrame:
    own = results.joint["foreground"] == class_
    return results.joint[own & results.joint["class"].isin([0, class_])]


def _panel(axis: Axes, picture: NDArray[np.float64], extent: tuple[float, float]) -> None:
    low, high = extent
    axis.imshow(picture, origin="lower", extent=(low, high, low, high), interpolation="nearest")
    axis.plot([low, high], [low, high], color=style.INK, lw=1, ls=style.DASHED)
    axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axis.locator_params(nbins=5)


def _density(rows: pd.DataFrame, edges: NDArray[np.int64], step: int) -> NDArray[np.float64]:
    """Opacity per bin, (y, x): the logarithm of the count, 0 where there is none."""
    counts = np.zeros((len(edges) - 1, len(edges) - 1))
    x = (rows["bin_x"] // step - edges[0]).to_numpy()
    y = (rows["bin_y"] // step - edges[0]).to_numpy()
    inside = (x >= 0) & (y >= 0) & (x < len(counts)) & (y < len(counts))
    np.add.at(counts, (y[inside], x[inside]), rows["count"].to_numpy()[inside])
    if not counts.any():
        return counts
    scaled = np.log1p(counts) / np.log1p(counts.max())
    return np.where(counts > 0, 0.12 + 0.88 * scaled, 0.0)


def _stain(
    picture: NDArray[np.float64], opacity: NDArray[np.float64], ink: str
) -> NDArray[np.float64]:
    """Lay ``ink`` over the picture as thickly as ``opacity`` says."""
    cover = 0.85 * opacity[..., None]
    stained: NDArray[np.float64] = picture * (1 - cover) + cover * np.array(to_rgb(ink))
    return stained


def _limits(rows: pd.DataFrame) -> tuple[int, int]:
    """Bins between which all but `OUTSIDE` of each true class lies, on either axis."""
    ends = [
        style.inner_range(own[axis], own["count"], OUTSIDE)
        for _, own in rows.groupby("class")
        for axis in ("bin_x", "bin_y")
    ]
    return min(low for low, _ in ends), max(high for _, high in ends) + 1


def _legend(figure: Figure, name: str) -> None:
    handles = [
        Patch(color=BACKGROUND, alpha=0.8, label="background voxels"),
        Patch(color=style.TRAIN, alpha=0.8, label=f"{name} voxels, training"),
        Patch(color=style.TEST, alpha=0.8, label=f"{name} voxels, test"),
        style.key("decision boundary", color=style.INK, lw=1, ls=style.DASHED),
    ]
    style.legend(figure, handles)
