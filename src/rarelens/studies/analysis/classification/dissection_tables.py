"""Dissection of a cell's layers: detectors, components inside regions, and pictures of units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.measures.dissection.components_inside import count_components
from rarelens.measures.dissection.pixels_above import pixels_above
from rarelens.studies.analysis.classification.pictures import picture
from rarelens.studies.analysis.dissected_layer import DISSECTION, dissect_layer
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.files import read_json
from rarelens.studies.settings.classification.stages import AnalyseClassification

COMPONENTS = ["layer", "class", "side", "image", "components"]

# Activations looked at once when components are counted.
CHUNK_VALUES = 2**22
# Images that are shown of a unit.
TOP_IMAGES = 5


@dataclass(frozen=True)
class Layer:
    """Activations (P, K, h, w) of the probe images, which ``probe`` describes."""

    name: str
    activations: NDArray[Any]
    probe: pd.DataFrame
    data: PreparedImages

    def masks(self, images: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Regions (n, C, H, W) of probe images, by their numbers."""
        found = np.zeros((len(images), len(self.data.classes), *self.data.size), np.bool_)
        rows = self.probe["row"].to_numpy()[images]
        place = pd.Series(np.arange(len(rows)), index=rows)
        own = self.data.concepts[self.data.concepts["row"].isin(rows)]
        if len(own):
            masks = self.data.masks(own.index.to_numpy())
            found[place[own["row"].to_numpy()].to_numpy(), own["class"].to_numpy()] = masks
        return found


def write_dissection(
    extract: Path, data: PreparedImages, target: Path, settings: AnalyseClassification
) -> None:
    """Write ``dissection.parquet``, ``components.parquet`` and ``units/``.

    Args:
        extract: ``extracts/classification/<cell>``.
        data: the prepared dataset.
        target: an existing folder.
        settings: quantile, rules of detection, permutations, number of units to show, seed.
    """
    probe = pd.read_parquet(extract / "probe.parquet")
    tables = [pd.DataFrame(columns=DISSECTION)]
    components = [pd.DataFrame(columns=COMPONENTS)]
    layers = {}
    for name in read_json(extract / "extract.json")["layers"] if len(probe) else ():
        stored = np.load(extract / "activations" / f"{name}.npy", mmap_mode="r")
        layers[name] = Layer(name, stored, probe, data)
        regions, patients = layers[name].masks, probe["group"]
        tables.append(dissect_layer(name, stored, regions, patients, settings, settings.seed))
        limits = tables[-1].drop_duplicates("unit")["threshold"].to_numpy()
        components += _components(layers[name], limits)
    table = _joined(tables)
    table.to_parquet(target / "dissection.parquet", index=False)
    _joined(components).to_parquet(target / "components.parquet", index=False)
    (target / "units").mkdir()
    for number, (_, unit) in enumerate(_best(table, settings.panels).iterrows()):
        fields = _pictures(layers[unit["layer"]], unit)
        np.savez(target / "units" / f"{number}.npz", **fields)


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """All tables in one; the first is empty and says which columns there are."""
    columns = tables[0].columns
    return pd.concat(tables[1:], ignore_index=True)[columns] if len(tables) > 1 else tables[0]


def _components(layer: Layer, thresholds: NDArray[np.float64]) -> Iterator[pd.DataFrame]:
    """Components within each region, averaged over units; dead units count as they are."""
    units, size = len(thresholds), layer.data.size
    step = max(1, CHUNK_VALUES // max(1, layer.activations[:1].size))
    for start in range(0, len(layer.probe), step):
        numbers = np.arange(start, min(len(layer.probe), start + step))
        masks = layer.masks(numbers)
        found = pixels_above(layer.activations[numbers], thresholds, size)
        image = found.item // units
        flat = masks.reshape(*masks.shape[:2], -1)
        for index in np.flatnonzero(flat.any(axis=(0, 2))):
            inside = flat[image, index, found.pixel]
            items = len(numbers) * units
            counts = count_components(found.item[inside], found.pixel[inside], items, size)
            mean = counts.reshape(len(numbers), units).mean(axis=1)
            own = flat[:, index].any(axis=1)
            facts = layer.probe.iloc[numbers[own]][["side", "image"]]
            facts.insert(0, "class", int(index))
            yield facts.assign(layer=layer.name, components=mean[own])[COMPONENTS]


def _best(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """The units to show: detectors by either rule, each class's best before the second-best.

    Best is the largest share of the ceiling; where classes take turns, the rarest detector first.
    """
    found = table[table["detects"] | table["detects_beyond_null"]]
    found = found.sort_values(
        ["iou_over_ceiling", "layer", "unit"], ascending=[False, True, True], kind="stable"
    )
    turn = found.groupby("class").cumcount()
    units = found.groupby("class")["unit"].transform("size")
    ranked = found.assign(turn=turn, units=units)
    return ranked.sort_values(["turn", "units", "class"], kind="stable").head(number)


def _pictures(layer: Layer, unit: pd.Series) -> dict[str, Any]:
    """The images that a unit responds to most, with the class's region and where it is active."""
    own = np.asarray(layer.activations[:, int(unit["unit"])], np.float32)
    highest = own.max(axis=(1, 2))
    top = np.argsort(-highest, kind="stable")[:TOP_IMAGES]
    limit = np.array([unit["threshold"]])
    found = pixels_above(own[top][:, None], limit, layer.data.size)
    active = np.zeros((len(top), *layer.data.size), np.bool_)
    active.reshape(len(top), -1)[found.item, found.pixel] = True
    rows = layer.probe["row"].to_numpy()[top]
    return {
        "images": np.stack([picture(layer.data.raw(int(row))) for row in rows]),
        "masks": layer.masks(top)[:, int(unit["class"])],
        "active": active,
        "layer": np.str_(layer.name),
        "unit": np.int64(unit["unit"]),
        "class": np.int64(unit["class"]),
        "iou": np.float64(unit["iou"]),
    }
