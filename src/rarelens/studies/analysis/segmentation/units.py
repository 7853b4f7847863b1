"""Which units of a segmentation network respond to which rare class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from rarelens.studies.analysis.dissected_layer import DISSECTION, dissect_layer
from rarelens.studies.files import read_json
from rarelens.studies.settings.segmentation.stages import AnalyseSegmentation


def dissect_units(units: Path, settings: AnalyseSegmentation) -> pd.DataFrame:
    """Dissect the layers of one cell; the concepts are the regions of the rare classes.

    Args:
        units: ``extracts/segmentation/<cell>/units``; without this folder there are no rows.
        settings: quantile, rules of detection, permutations, seed.

    Returns:
        One row per layer, unit and rare class, with the columns of the classification study's
        ``dissection.parquet``; ``class`` is the label.
    """
    if not units.is_dir():
        return pd.DataFrame(columns=DISSECTION)
    facts = read_json(units / "units.json")
    masks = np.load(units / "masks.npy", mmap_mode="r")
    patients = pd.read_parquet(units / "tiles.parquet")["group"]
    tables = []
    for layer in facts["layers"]:
        activations = np.load(units / "activations" / f"{layer}.npy", mmap_mode="r")
        tables.append(dissect_layer(layer, activations, masks, patients, settings, settings.seed))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(**{"class": np.array(facts["classes"])[table["class"]]})


def units_by_layer(dissection: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Per layer: how many units, how many detect a rare class by either rule, the highest IoU.

    Args:
        dissection: rows of `dissect_units` of one cell.
    """
    found = {}
    for layer, rows in dissection.groupby("layer", sort=False):
        units = rows.groupby("unit")[["detects", "detects_beyond_null"]].any()
        found[str(layer)] = {
            "units": float(len(units)),
            "detectors": float(units["detects"].sum()),
            "detectors_beyond_null": float(units["detects_beyond_null"].sum()),
            "best_iou": float(rows["iou"].max()),
        }
    return found
