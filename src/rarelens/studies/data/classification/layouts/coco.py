"""COCO JSON: images with boxes, polygons or run lengths (crowds too); labels = categories present.

Two keys of an image are additions to COCO: ``group`` (its patient or source) and ``split``
(train, validation or test). An annotation without box and segmentation is a label for the whole
image.

Source: Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from pydantic import BaseModel, Field

from rarelens.errors import RarelensError, refuse
from rarelens.studies.data.classification.collection import (
    Box,
    ImageCollection,
    ImageEntry,
    Official,
    Region,
    Source,
)
from rarelens.studies.data.files import (
    OUTSIDE,
    is_file,
    is_outside,
    one_of,
    read_description,
    repeated,
    visible,
)

FILE = "annotations.json"


class Picture(BaseModel):
    """An image by its path; size in pixels."""

    id: int | str
    file_name: str
    width: int
    height: int
    group: str | int | None = None
    split: Official | None = None


class Category(BaseModel):
    """A class."""

    id: int | str
    name: str


class Annotation(BaseModel):
    """A finding in an image: box [x, y, width, height], polygons or run lengths, or neither."""

    id: int | str
    image_id: int | str
    category_id: int | str
    bbox: Box | None = None
    segmentation: list[Any] | dict[str, Any] | None = None


class Description(BaseModel):
    """What is needed of the file."""

    images: list[Picture]
    annotations: list[Annotation]
    categories: list[Category] = Field(min_length=1)


def read(folder: Path, name: str) -> ImageCollection:
    """Read a COCO folder: ``annotations.json`` (or the only JSON), images in ``images/`` or beside.

    Raises:
        RarelensError: for a description that is missing or wrong, ids that occur twice,
            annotations of images or categories that are not listed, groups given for some
            images only, and each listed image that is not there.
    """
    file = _file(folder)
    description = read_description(file, Description)
    _check(file, description)
    labels = {category.id: index for index, category in enumerate(description.categories)}
    found: dict[int | str, list[Annotation]] = defaultdict(list)
    for annotation in description.annotations:
        found[annotation.image_id].append(annotation)
    images = [
        _entry(folder, file, picture, found[picture.id], labels) for picture in description.images
    ]
    refuse(
        f"{file}: images: {image} is the file name of more than one image; rename one"
        for image in repeated(entry.image for entry in images)
    )
    refuse(
        f"{entry.image}: {entry.source.file}: no such file, though {file} lists it; add it"
        for entry in images
        if not is_file(entry.source.file)
    )
    return ImageCollection(
        name,
        folder,
        tuple(category.name for category in description.categories),
        tuple(sorted(images, key=lambda entry: entry.image)),
        {side: f"{file.name} (split: {side})" for side in get_args(Official)},
    )


def _file(folder: Path) -> Path:
    if (folder / FILE).is_file():
        return folder / FILE
    found = [*folder.glob("*.json"), *folder.glob("annotations/*.json")]
    return one_of(folder, visible(found), f"{FILE} or other JSON file")


def _check(file: Path, description: Description) -> None:
    """Ids that occur twice, and annotations that refer to nothing."""
    images = {picture.id for picture in description.images}
    categories = {category.id for category in description.categories}
    listed = {
        "images: id": (str(picture.id) for picture in description.images),
        "annotations: id": (str(annotation.id) for annotation in description.annotations),
        "categories: id": (str(category.id) for category in description.categories),
        "categories: name": (category.name for category in description.categories),
    }
    problems = [
        f"{file}: {key} {value} is listed twice; keep one"
        for key, values in listed.items()
        for value in repeated(values)
    ]
    for annotation in description.annotations:
        at = f"{file}: annotation {annotation.id}"
        if annotation.image_id not in images:
            problems.append(f"{at}: image {annotation.image_id} is not listed; list or remove it")
        if annotation.category_id not in categories:
            problems.append(
                f"{at}: category {annotation.category_id} is not declared; declare or correct it"
            )
    alone = [picture for picture in description.images if picture.group is None]
    if len(alone) < len(description.images):
        problems += [
            f"{file}: image {picture.id}: no group, though others have one; add it"
            for picture in alone
        ]
    refuse(problems)


def _entry(
    folder: Path,
    file: Path,
    picture: Picture,
    annotations: list[Annotation],
    labels: dict[int | str, int],
) -> ImageEntry:
    path = PurePosixPath(picture.file_name)
    if is_outside(picture.file_name):
        raise RarelensError(
            f"{file}: image {picture.id}: file_name {picture.file_name!r} {OUTSIDE}"
        )
    inside, beside = folder / "images" / path, folder / path
    present = {labels[annotation.category_id] for annotation in annotations}
    return ImageEntry(
        image=path.with_suffix("").as_posix(),
        source=Source(beside if is_file(beside) and not is_file(inside) else inside),
        labels=tuple(float(label in present) for label in range(len(labels))),
        regions=tuple(
            Region(
                labels[annotation.category_id],
                f"{file}: annotation {annotation.id}",
                annotation.bbox,
                annotation.segmentation or None,
            )
            for annotation in annotations
            if annotation.bbox is not None or annotation.segmentation
        ),
        group=None if picture.group is None else str(picture.group),
        official=picture.split,
        size=(picture.width, picture.height),
    )
