"""The test subjects of a comparison that can be browsed as volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rarelens.studies.browsing.segmentation.volumes import GREYS, STEPS
from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.files import read_json
from rarelens.studies.reporting import style
from rarelens.studies.reporting.browser import Browser, colours, pack
from rarelens.studies.reporting.number_text import words
from rarelens.studies.reporting.results import Arrays, read_arrays
from rarelens.studies.reporting.segmentation.figures.panel import MARGIN_MAP, class_colour
from rarelens.studies.reporting.segmentation.results import SegmentationResults


def cases(results: SegmentationResults, browse: Path) -> Browser | None:
    """The browser of a comparison; None where stage browse found nobody with a rare class.

    Args:
        results: of the comparison.
        browse: the folder above ``segmentation/<dataset>/<network>/<fraction>``.
    """
    folder = browse.joinpath("segmentation", *(getattr(results, name) for name in COMPARISON))
    known = read_json(folder / "cases.json")
    if not known["cases"]:
        return None
    places = [known["methods"].index(method) for method in results.methods]
    arrays = [read_arrays(folder / f"{case['name']}.npz") for case in known["cases"]]
    about = {
        "methods": [words(method) for method in results.methods],
        "classes": [words(name) for name in results.classes],
        "rare": list(results.rare),
        "greys": GREYS,
        "steps": STEPS,
        "cases": [
            {
                "name": case["name"],
                "dice": [round(case["dice"][method], 3) for method in results.methods],
                **_geometry(own),
            }
            for case, own in zip(known["cases"], arrays, strict=True)
        ],
        "colours": {
            "agreement": [style.CORRECT, style.MISSED, style.FALSE_ALARM],
            "classes": [class_colour(label) for label in range(1, len(results.classes))],
            "margin": colours(MARGIN_MAP, 2 * STEPS + 1),
        },
    }
    measure = "Dice" if len(results.rare) == 1 else "mean Dice over the rare classes that it has"
    rule = (
        f"Test subjects of seed {known['seed']}, by their {measure} under "
        f"{words(results.baseline)}, the baseline: the worst, the median and the best. Shown are "
        "the surroundings of all that is labelled or predicted, on a grid that may be coarser than "
        "the one measured: there a structure smaller than a voxel can vanish."
    )
    return Browser("volumes", rule, about, [_packed(own, places) for own in arrays])


def _geometry(arrays: Arrays) -> dict[str, Any]:
    return {
        "shape": list(arrays["truth"].shape),
        "turned": np.round(arrays["turned"], 4).tolist(),
        "limit": round(float(arrays["limit"]), 2),
    }


def _packed(arrays: Arrays, places: list[int]) -> str:
    """Image, truth, then of each method its prediction and its margin, from 1 on."""
    volumes = [arrays["image"], arrays["truth"]]
    for place in places:
        margin = (arrays["margin"][place].astype(np.int16) + STEPS + 1).astype(np.uint8)
        volumes += [arrays["prediction"][place], margin]
    return pack(volumes)
