"""Alignment of a cell's saliency maps with concept regions, beside its controls, and panels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rarelens.measures.alignment import align, centre_prior, normalise, uniform
from rarelens.measures.upsampling import resize
from rarelens.studies.analysis.classification.pictures import panel_choice, picture
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.files import read_json
from rarelens.studies.settings.classification.stages import AnalyseClassification

# Maps that are brought to image size at once.
BATCH = 64
COLUMNS = ["image", "group", "row", "side", "class", "method", "map", "measure", "value"]
FACTS = ["logit", "zero"]


def write_alignment(
    extract: Path, data: PreparedImages, target: Path, settings: AnalyseClassification
) -> None:
    """Write ``alignment.parquet`` and ``panels/``.

    Each saliency map of a present class that has a region is compared with it, and so are the
    map of the network with random weights, the centre prior and the uniform map.

    Args:
        extract: ``extracts/classification/<cell>``.
        data: the prepared dataset.
        target: an existing folder.
        settings: thresholds of binary maps, number of panels, seed.
    """
    maps = pd.read_parquet(extract / "saliency.parquet")
    maps = maps.merge(data.table["group"], left_on="image", right_index=True, how="left")
    methods = read_json(extract / "extract.json")["saliency"]
    boxed = maps[maps["concept"] >= 0]
    parts = [
        part for method in methods for part in _of_method(extract, data, boxed, method, settings)
    ]
    empty = pd.DataFrame(columns=[*COLUMNS, *FACTS])
    table = pd.concat(parts, ignore_index=True) if parts else empty
    table[[*COLUMNS, *FACTS]].to_parquet(target / "alignment.parquet", index=False)
    _write_panels(extract, data, target, boxed, methods[0], settings)


def _of_method(
    extract: Path,
    data: PreparedImages,
    maps: pd.DataFrame,
    method: str,
    settings: AnalyseClassification,
) -> Iterator[pd.DataFrame]:
    """The rows of one saliency method, some maps at a time."""
    stored = {
        "model": np.load(extract / "saliency" / f"{method}.npy", mmap_mode="r"),
        "random_weights": np.load(extract / "saliency" / f"{method}_random.npy", mmap_mode="r"),
    }
    controls = {"centre": centre_prior(data.size), "uniform": uniform(data.size)}
    for start in range(0, len(maps), BATCH):
        some = maps.iloc[start : start + BATCH]
        facts = some[["image", "group", "row", "side", "class", "logit"]]
        masks = data.masks(some["concept"].to_numpy())
        rows = some["map"].to_numpy()
        compared = {name: np.asarray(own[rows], np.float64) for name, own in stored.items()}
        compared |= {name: np.broadcast_to(own, masks.shape) for name, own in controls.items()}
        measured = []
        for name, native in compared.items():
            ready = native if name in controls else normalise(resize(native, data.size))
            zero = ~native.any(axis=(1, 2))
            for measure, value in align(ready, masks, settings.alignment_thresholds).items():
                measured.append({"map": name, "measure": measure, "value": value, "zero": zero})
        # One table of them all: making one for each measure takes as long as measuring.
        repeated = facts.iloc[np.tile(np.arange(len(some)), len(measured))]
        whole = {
            column: np.concatenate([np.broadcast_to(own[column], len(some)) for own in measured])
            for column in measured[0]
        }
        yield repeated.assign(method=method, **whole)


def _write_panels(
    extract: Path,
    data: PreparedImages,
    target: Path,
    maps: pd.DataFrame,
    method: str,
    settings: AnalyseClassification,
) -> None:
    """Save the images that stand for the dataset, with the first method's maps."""
    (target / "panels").mkdir()
    stored = np.load(extract / "saliency" / f"{method}.npy", mmap_mode="r")
    for number, concept in enumerate(panel_choice(data, maps, settings.panels, settings.seed)):
        own = maps[maps["concept"] == concept]
        row, index, place = (int(own[name].to_numpy()[0]) for name in ("row", "class", "map"))
        native = np.asarray(stored[place], np.float64)
        boxes = data.boxes[(data.boxes["row"] == row) & (data.boxes["class"] == index)]
        shown = normalise(resize(native, data.size))
        fields: dict[str, Any] = {
            "image": picture(data.raw(row)),
            "mask": data.masks(np.array([concept]))[0],
            "map": shown.astype(np.float32),
            "class": np.int64(index),
            "logit": np.float32(own["logit"].to_numpy()[0]),
            "boxes": boxes[["x", "y", "width", "height"]].to_numpy(np.float32),
        }
        np.savez(target / "panels" / f"{number}.npz", **fields)
