"""CKA between the features of methods, layer by layer; between seeds on the diagonal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.pairs import Pair
from rarelens.studies.reporting.classification.results import ClassificationResults

SIDE = 0.46


def draw(results: ClassificationResults) -> Figure:
    """A column a layer; the diagonal is the noise floor of the method itself."""
    side = max(2.0, SIDE * len(results.methods))
    figure, axes = style.grid(1, len(results.layers), height=side + 0.1, width=side + 0.4)
    grids = [similarity(results.methods, results.pairs, layer) for layer in results.layers]
    known = np.concatenate([grid[np.isfinite(grid)] for grid in grids])
    low = min(0.9, float(np.floor(known.min() * 10) / 10)) if known.size else 0.0
    for axis, layer, grid in zip(axes[0], results.layers, grids, strict=True):
        drawn = axis.imshow(grid, cmap="viridis", vmin=low, vmax=1.0)
        _numbers(axis, grid, low)
        _dress(axis, results, labelled=axis is axes[0][0])
        axis.set_title(f"layer {style.label(layer, 24)}")
    figure.colorbar(drawn, ax=axes[0], shrink=0.7, label="CKA (1: alike)")
    return figure


def similarity(methods: Sequence[str], pairs: Sequence[Pair], layer: str) -> NDArray[np.float64]:
    """CKA, methods × methods; undefined is NaN."""
    places = {method: place for place, method in enumerate(methods)}
    grid = np.full((len(places), len(places)), np.nan)
    for pair in pairs:
        one, other = places[pair.method_a], places[pair.method_b]
        grid[one, other] = grid[other, one] = pair.row("cka", layer)["value_a"]
    np.fill_diagonal(grid, _floors(places, pairs, layer))
    return grid


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """CKA of each pair (value_a) and between seeds (value_b), a row a pair and layer."""
    rows = results.pair_rows[results.pair_rows["quantity"] == "cka"]
    return rows[["method_a", "method_b", "layer", "value_a", "value_b"]]


def _floors(places: dict[str, int], pairs: Sequence[Pair], layer: str) -> NDArray[np.float64]:
    """The noise floor of each method, (methods,), from those of its pairs.

    The floor of a pair is the mean over the seeds of both methods. That makes one linear equation
    a pair, which three methods solve; two methods get the mean of both.
    """
    known = [pair for pair in pairs if np.isfinite(pair.row("cka", layer)["value_b"])]
    halves = np.zeros((len(known), len(places)))
    for equation, pair in zip(halves, known, strict=True):
        equation[[places[pair.method_a], places[pair.method_b]]] = 0.5
    means = np.array([pair.row("cka", layer)["value_b"] for pair in known], dtype=np.float64)
    floors = np.asarray(np.linalg.lstsq(halves, means)[0], dtype=np.float64)
    floors[~halves.any(axis=0)] = np.nan
    return floors


def _numbers(axis: Axes, grid: NDArray[np.float64], low: float) -> None:
    for (row, column), value in np.ndenumerate(grid):
        known = bool(np.isfinite(value))
        dark = known and value < (1 + low) / 2
        axis.text(
            column, row, f"{value:.2f}".removeprefix("0") if known else "?", ha="center",
            va="center", fontsize=7.5, color="white" if dark else style.INK,
            fontweight="bold" if row == column else "normal",
        )  # fmt: skip
        if row == column:
            axis.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=style.TEST, lw=1.6)
            )


def _dress(axis: Axes, results: ClassificationResults, labelled: bool) -> None:
    names = [style.plain(method) for method in results.methods]
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names if labelled else [""] * len(names))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
