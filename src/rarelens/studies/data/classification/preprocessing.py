"""From image files to one array, with labels, boxes and concept masks beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

from rarelens.errors import RarelensError, warn
from rarelens.studies.data.classification.collection import (
    Box,
    ImageCollection,
    ImageEntry,
    choose_labels,
    count_concepts,
)
from rarelens.studies.data.classification.problems import find_image_problems, map_images
from rarelens.studies.data.classification.reading import Pictures
from rarelens.studies.data.classification.regions import Mask, resize_region
from rarelens.studies.data.classification.resizing import Resizing, plan_resizing, prepare_pixels
from rarelens.studies.data.classification.splits import assign_image_splits
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.prepared import digest_of
from rarelens.studies.files import allocate, write_json
from rarelens.studies.settings.classification.datasets import ImagePreprocess, ImageSplit


@dataclass(frozen=True, slots=True)
class Concept:
    """The region of a class in an image: the union of its boxes and masks, prepared pixels."""

    label: int
    mask: Mask
    source: str


@dataclass(frozen=True, slots=True)
class PreparedEntry:
    """An image as it is written: pixels (channels, H, W), boxes by class, concepts."""

    pixels: NDArray[np.unsignedinteger[Any]]
    resizing: Resizing
    boxes: tuple[tuple[int, Box], ...]
    concepts: tuple[Concept, ...]


def prepare_images(
    name: str, layout: str, raw: Path, target: Path, settings: ImagePreprocess, split: ImageSplit
) -> None:
    """Prepare all images of a dataset and write them into the empty folder ``target``.

    Everything is checked before the first image is written; one pass over the files for each.
    Images that a split file calls unused are left out.

    Raises:
        RarelensError: for each problem in the dataset, its files, its split or its settings.
    """
    collection = choose_labels(read_collection(layout, raw, name), settings)
    problems = find_image_problems(collection)
    try:
        table = assign_image_splits(collection, split, raw)
    except RarelensError as error:
        problems += error.problems
    if problems:
        raise RarelensError(*problems)
    images = tuple(
        replace(entry, group=group)
        for entry, group, side in zip(
            collection.images, table["group"], table["split"], strict=True
        )
        if side != "unused"
    )
    splits = dict(zip(table["image"], table["split"], strict=True))
    warn(_absent(replace(collection, images=images), splits))
    _write(replace(collection, images=images), splits, target, settings)


def prepare_entry(
    entry: ImageEntry, pictures: Pictures, settings: ImagePreprocess
) -> PreparedEntry:
    """Prepare one faultless image and its regions."""
    picture = pictures.read(entry.source)
    resizing = plan_resizing(picture.shape[1], picture.shape[0], settings)
    size = settings.image_size
    placed = [(region, *resize_region(region, size, resizing)) for region in entry.regions]
    concepts = []
    for label in sorted({region.label for region in entry.regions}):
        own = [(region, mask) for region, _, mask in placed if region.label == label]
        drawn = all(region.outline is not None for region, _ in own)
        union: Mask = np.logical_or.reduce([mask for _, mask in own])
        concepts.append(Concept(label, union, "mask" if drawn else "box"))
    return PreparedEntry(
        prepare_pixels(picture, resizing, settings),
        resizing,
        tuple((region.label, box) for region, box, _ in placed),
        tuple(concepts),
    )


def _absent(collection: ImageCollection, splits: dict[str, str]) -> list[str]:
    """Sentences on classes that no image of a side has."""
    there = {
        (splits[entry.image], label)
        for entry in collection.images
        for label, value in enumerate(entry.labels)
        if value == 1
    }
    return [
        f"{collection.name}: no {side} image has class {name}, so that nothing is "
        f"{'learnt' if side == 'pool' else 'said'} of it there; draw another split "
        f"(datasets.{collection.name}.split), or enlarge it"
        for side in ("test", "validation", "pool")
        if side in splits.values()
        for label, name in enumerate(collection.classes)
        if (side, label) not in there
    ]


class _Moments:
    """Exact sums over the pool's pixels by channel, whatever the order."""

    def __init__(self, channels: int) -> None:
        # Python's whole numbers, of any size.
        self.values, self.squares = np.zeros((2, channels), dtype=object)
        self.pixels = 0

    def add(self, pixels: NDArray[np.unsignedinteger[Any]]) -> None:
        flat = pixels.reshape(len(pixels), -1).astype(np.uint64)
        self.pixels += flat.shape[1]
        self.values += flat.sum(axis=1).astype(object)
        self.squares += (flat * flat).sum(axis=1).astype(object)

    def mean_and_std(self, top: int) -> tuple[list[float], list[float]]:
        """Per channel, of values scaled to [0, 1]."""
        # In whole numbers up to the last step, for the difference of the two is small.
        variances = (self.squares * self.pixels - self.values**2) / self.pixels**2
        means = self.values / self.pixels
        return [mean / top for mean in means], [value**0.5 / top for value in variances]


def _write(
    collection: ImageCollection, splits: dict[str, str], target: Path, settings: ImagePreprocess
) -> None:
    channels = 1 if settings.channels == "grey" else 3
    dtype = np.dtype(settings.dtype)
    shape = (len(collection.images), channels, *settings.image_size)
    images = new_array(target / "images.npy", dtype, shape)
    concept_shape = (count_concepts(collection), *settings.image_size)
    masks = new_array(target / "concepts.npy", np.bool_, concept_shape)
    moments = _Moments(channels)
    rows: list[dict[str, Any]] = []
    boxes: list[tuple[Any, ...]] = []
    concepts: list[tuple[Any, ...]] = []
    for row, (entry, prepared) in enumerate(_prepared(collection, settings)):
        images[row] = prepared.pixels
        for concept in prepared.concepts:
            masks[len(concepts)] = concept.mask
            area = float(concept.mask.mean())
            concepts.append((row, concept.label, area, concept.source, digest_of([concept.mask])))
        boxes += [(row, label, *box) for label, box in prepared.boxes]
        rows.append(_row(entry, splits[entry.image], prepared))
        if splits[entry.image] == "pool":
            moments.add(prepared.pixels)
    images.flush()
    masks.flush()
    pd.DataFrame(rows).to_parquet(target / "images.parquet", index=False)
    _table(boxes, BOXES).to_parquet(target / "boxes.parquet", index=False)
    _table(concepts, CONCEPTS).to_parquet(target / "concepts.parquet", index=False)
    mean, std = moments.mean_and_std(int(np.iinfo(dtype).max))
    if min(std) <= 0:
        raise RarelensError(
            f"{collection.name}: all pixels of the training pool have one value; check the "
            "images, and preprocess.intensity"
        )
    description = {"name": collection.name, "classes": list(collection.classes)}
    sizes = {"channels": channels, "size": list(settings.image_size), "dtype": settings.dtype}
    write_json(target / "dataset.json", {**description, **sizes, "mean": mean, "std": std})


def new_array(file: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A new array of zeros on disk, mapped into memory, to be filled.

    Its space is taken first: a map of a sparse file on a full disk kills the process (SIGBUS).

    Raises:
        OSError: if the disk has no space for it.
    """
    array: np.memmap[Any, Any] = np.lib.format.open_memmap(file, "w+", dtype, shape)
    if array.nbytes:
        allocate(file, file.stat().st_size)
    return array


BOXES = {
    "row": "int64", "class": "int64",
    "x": "float64", "y": "float64", "width": "float64", "height": "float64",
}  # fmt: skip
CONCEPTS = {
    "row": "int64", "class": "int64", "area": "float64", "source": "str", "digest": "str",
}  # fmt: skip


def _table(values: list[tuple[Any, ...]], columns: dict[str, str]) -> pd.DataFrame:
    """A table of these columns, even where there is no row to tell their types."""
    return pd.DataFrame(values, columns=list(columns)).astype(columns)


def _prepared(
    collection: ImageCollection, settings: ImagePreprocess
) -> Iterator[tuple[ImageEntry, PreparedEntry]]:
    with Pictures() as pictures:
        done = map_images(lambda entry: prepare_entry(entry, pictures, settings), collection)
        yield from zip(collection.images, done, strict=True)


def _row(entry: ImageEntry, split: str, prepared: PreparedEntry) -> dict[str, Any]:
    resizing = prepared.resizing
    return {
        "image": entry.image,
        "group": entry.group,
        "split": split,
        "labels": list(entry.labels),
        "width": resizing.width,
        "height": resizing.height,
        "digest": digest_of([prepared.pixels]),
        "left": resizing.left,
        "top": resizing.top,
        "scale_x": resizing.scale_x,
        "scale_y": resizing.scale_y,
    }
