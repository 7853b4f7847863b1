"""A collection of images with multi-label findings and their regions, whatever its layout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rarelens.errors import RarelensError
from rarelens.studies.settings.classification.datasets import ImagePreprocess

Box = tuple[float, float, float, float]
Official = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Region:
    """Where a finding is.

    Attributes:
        label: index of the class.
        where: the annotation, for messages.
        box: (x, y, width, height), the corner at the upper left.
        outline: polygons (a list of [x0, y0, x1, y1, …]) or COCO run lengths (a dictionary); if
            given, it is the region, and the box is only checked.
        frame: (width, height) of the pixel space of box and outline; None for the image's own.
    """

    label: int
    where: str
    box: Box | None = None
    outline: Any = None
    frame: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where the pixels are: an image file, or a row of an array within an npz file."""

    file: Path
    member: str | None = None
    row: int = 0


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One image.

    Attributes:
        image: its id.
        source: where its pixels are.
        labels: 1 present, 0 absent, NaN uncertain; one for each class.
        regions: where findings are, if that is known.
        group: the patient or source; None where the layout does not say.
        official: the official list that it is in.
        size: (width, height) in pixels as the layout declares it.
    """

    image: str
    source: Source
    labels: tuple[float, ...]
    regions: tuple[Region, ...] = ()
    group: str | None = None
    official: Official | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ImageCollection:
    """A dataset as its layout describes it; images are sorted by id.

    ``lists``: what the official lists are called, by their side, for messages.
    """

    name: str
    folder: Path
    classes: tuple[str, ...]
    images: tuple[ImageEntry, ...]
    lists: Mapping[Official, str]


def choose_labels(collection: ImageCollection, settings: ImagePreprocess) -> ImageCollection:
    """Choose, as the parameters say, which classes to keep and what uncertain labels count as.

    Raises:
        RarelensError: for each class to keep that the layout does not know, or that is named
            twice.
    """
    wanted = collection.classes if settings.classes is None else settings.classes
    at = f"params.yaml: datasets.{collection.name}.preprocess.classes"
    known = ", ".join(collection.classes)
    problems = [
        f"{at}: there is no class {name!r}; choose from {known}"
        for name in wanted
        if name not in collection.classes
    ]
    twice = sorted({name for name in wanted if wanted.count(name) > 1})
    problems += [f"{at}: {name} is named twice; name it once" for name in twice]
    if not wanted:
        problems.append(f"{at}: no class is named; choose from {known}, or set it to null")
    if problems:
        raise RarelensError(*problems)
    kept = [collection.classes.index(name) for name in wanted]
    certain = {"zeros": 0.0, "ones": 1.0, "ignore": math.nan}[settings.uncertain]
    images = tuple(_with_choices(entry, kept, certain) for entry in collection.images)
    return replace(collection, classes=tuple(wanted), images=images)


def prepared_bytes(collection: ImageCollection, settings: ImagePreprocess) -> float:
    """How much disk the prepared arrays of a collection will need."""
    pixels = math.prod(settings.image_size)
    channels = 1 if settings.channels == "grey" else 3
    depth = 1 if settings.dtype == "uint8" else 2
    return float(pixels * (len(collection.images) * channels * depth + count_concepts(collection)))


def count_concepts(collection: ImageCollection) -> int:
    """How many pairs of an image and a class have a region."""
    return sum(len({region.label for region in entry.regions}) for entry in collection.images)


def _with_choices(entry: ImageEntry, kept: list[int], certain: float) -> ImageEntry:
    labels = tuple(
        certain if math.isnan(entry.labels[label]) else entry.labels[label] for label in kept
    )
    regions = tuple(
        replace(region, label=kept.index(region.label))
        for region in entry.regions
        if region.label in kept
    )
    return replace(entry, labels=labels, regions=regions)
