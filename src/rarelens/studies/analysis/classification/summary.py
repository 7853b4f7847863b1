"""The few numbers of a cell that a list of runs shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

SHOWN = ("auroc", "average_precision")


def summary(folder: Path, classes: Sequence[str], saliency: Sequence[str]) -> dict[str, Any]:
    """Test AUROC and average precision, alignment of the first saliency method, units by layer.

    Alignment is the mean over classes of the means over the probe images' maps. What is not
    defined is left out.

    Args:
        folder: an analysis with its tables written.
        classes: their names.
        saliency: the methods of the extract.
    """
    prediction = pd.read_parquet(folder / "prediction.parquet")
    test = prediction[(prediction["side"] == "test") & prediction["measure"].isin(SHOWN)]
    mean, by_class = test[test["group"] == "mean"], test[test["group"] == "class"]
    found: dict[str, Any] = {
        "mean": _defined(mean.set_index("measure")["value"]),
        "class": {
            name: _defined(own.set_index("measure")["value"])
            for index, name in enumerate(classes)
            if len(own := by_class[by_class["class"] == index])
        },
    }
    alignment = pd.read_parquet(folder / "alignment.parquet")
    own = alignment[(alignment["map"] == "model") & (alignment["method"] == saliency[0])]
    own = own[~own["measure"].str.contains("@")]  # without those at thresholds
    means = own.groupby(["measure", "class"])["value"].mean().groupby("measure").mean()
    return found | {"alignment": _defined(means), "layers": _layers(folder)}


def _layers(folder: Path) -> dict[str, dict[str, float]]:
    """Detectors, unique concepts and effective rank of each layer."""
    dissection = pd.read_parquet(folder / "dissection.parquet")
    representation = pd.read_parquet(folder / "representation.parquet")
    ranks = representation[representation["measure"] == "effective_rank"]
    found = {}
    for layer, units in dissection.groupby("layer", sort=True):
        detecting = units[units["detects"].to_numpy(bool)]
        rank = ranks.loc[ranks["layer"] == layer, "value"]
        counts = {
            "detectors": float(len(detecting)),
            "concepts": float(detecting["class"].nunique()),
        }
        found[str(layer)] = counts | _defined(rank.rename(lambda _: "effective_rank"))
    return found


def _defined(values: pd.Series) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items() if math.isfinite(value)}
