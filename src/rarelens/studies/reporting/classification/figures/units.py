"""Units that detect a finding: the images that excite them most."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.figures import pictures
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.results import Arrays

UNITS = 2
IMAGES = 4
MISSING = ("no unit detects a finding", "no other detector")
ACTIVE = style.FALSE_ALARM


def draw(results: ClassificationResults) -> Figure:
    """A row a method: its best detector, and the best of another finding, four images each."""
    columns = UNITS * IMAGES
    figure, axes = style.grid(len(results.pictured), columns, height=1.62, width=1.38)
    # The headings of the units reach over several images and take no part in the layout.
    figure.set_layout_engine("constrained", h_pad=0.13, w_pad=0.03)
    for row, method in enumerate(results.pictured):
        chosen = choose(results.examples[method])
        for place in range(UNITS):
            own = axes[row][place * IMAGES : (place + 1) * IMAGES]
            _unit(own, results, chosen[place] if place < len(chosen) else None, MISSING[place])
        axes[row][0].set_ylabel(style.label(method, 16), fontweight="bold")
    handles = [
        style.key("the finding", color=pictures.FINDING, lw=1.6),
        Patch(color=ACTIVE, alpha=0.6, label="where the unit is above its threshold"),
    ]
    style.legend(figure, handles)
    return figure


def numbers(results: ClassificationResults) -> pd.DataFrame:
    """The units shown, a row a method and unit."""
    return pd.DataFrame(
        {
            "method": method,
            "class": results.classes[int(unit["class"])],
            "layer": str(unit["layer"]),
            "unit": int(unit["unit"]),
            "iou": float(unit["iou"]),
        }
        for method in results.methods
        for unit in choose(results.examples[method])
    )


def choose(examples: tuple[Arrays, ...]) -> list[Arrays]:
    """The first unit, and the next: of another class if there is one; in the order of classes."""
    others = [unit for unit in examples[1:] if unit["class"] != examples[0]["class"]]
    chosen = [*examples[:1], *(others or list(examples[1:]))][:UNITS]
    return sorted(chosen, key=lambda unit: -int(unit["class"]))


def _unit(
    axes: list[Axes], results: ClassificationResults, unit: Arrays | None, missing: str
) -> None:
    for axis in axes:
        pictures.bare(axis)
        axis.patch.set_visible(False)
    if unit is None:
        text = axes[0].text(
            0.05, 0.5, missing, transform=axes[0].transAxes, va="center", color=style.MUTED
        )
        text.set_in_layout(False)
        return
    finding = style.plain(results.classes[int(unit["class"])])
    heading = axes[0].set_title(
        f"{finding}: unit {int(unit['unit'])} of {style.plain(str(unit['layer']))}, "
        f"IoU {float(unit['iou']):.2f}",
        loc="left", fontsize=8.5, fontweight="normal",
    )  # fmt: skip
    heading.set_in_layout(False)
    for axis, image, mask, active in zip(
        axes, unit["images"], unit["masks"], unit["active"], strict=False
    ):
        pictures.show(axis, image)
        pictures.tint(axis, active, ACTIVE)
        pictures.outline(axis, mask)
