"""The images of a comparison whose saliency maps can be browsed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.alignment import energy_inside
from rarelens.studies.reporting.browser import Browser, colours, pack
from rarelens.studies.reporting.classification.figures import pictures
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.number_text import words
from rarelens.studies.reporting.results import Arrays

HEAT_LEVELS = 64


def cases(results: ClassificationResults, _: Path) -> Browser | None:
    """The browser of a comparison; None where no image has a region that can be seen."""
    found = [(panel, _inside(panel)) for panel in results.panels]
    baseline = results.baseline
    shown = [(panel, inside) for panel, inside in found if np.isfinite(inside[baseline])]
    shown.sort(key=lambda own: own[1][baseline])
    if not shown:
        return None
    abouts = [_about(results, *own, f"{n} of {len(shown)}") for n, own in enumerate(shown, 1)]
    about = {
        "methods": [words(method) for method in results.methods],
        "saliency": words(results.saliency),
        "finding": pictures.FINDING,
        "heat": colours(pictures.HEAT, HEAT_LEVELS),
        "cases": abouts,
    }
    rule = (
        f"The images of the figure of saliency maps; seed {results.seeds[0]}. The first is the "
        f"one in which the least of the heat of {words(baseline)}, the baseline, lies inside the "
        "finding, the last the one with the most."
    )
    return Browser("pictures", rule, about, [_packed(results, panel) for panel, _ in shown])


def _inside(panel: dict[str, Arrays]) -> dict[str, float]:
    return {method: float(energy_inside(own["map"], own["mask"])) for method, own in panel.items()}


def _about(
    results: ClassificationResults, panel: dict[str, Arrays], inside: dict[str, float], name: str
) -> dict[str, Any]:
    first = panel[results.baseline]
    return {
        "name": name,
        "class": words(results.classes[int(first["class"])]),
        "channels": len(first["image"]),
        "shape": list(first["image"].shape[:0:-1]),
        "boxes": np.round(first["boxes"].astype(float), 1).tolist(),
        "logits": [round(float(panel[method]["logit"]), 2) for method in results.methods],
        "inside": [round(inside[method], 3) for method in results.methods],
    }


def _packed(results: ClassificationResults, panel: dict[str, Arrays]) -> str:
    """Image, the channels apart, mask, then of each method its map; rows from left to right."""
    first = panel[results.baseline]
    shown = np.round(pictures.as_shown(first["image"]) * 255)
    layers = [*shown, first["mask"], *(_heat(panel[m]["map"]) for m in results.methods)]
    return pack([np.asarray(layer, np.uint8).T for layer in layers])


def _heat(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.round(np.clip(values, 0, 1) * (HEAT_LEVELS - 1)).astype(np.uint8)
