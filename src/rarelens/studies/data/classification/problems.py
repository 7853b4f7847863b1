"""Read every image of a collection and report all that is wrong, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

from rarelens.errors import RarelensError, shortened
from rarelens.studies.data.classification.collection import ImageCollection, ImageEntry
from rarelens.studies.data.classification.reading import Pictures
from rarelens.studies.data.classification.regions import region_problem

AHEAD = 64
"""Images that may wait to be taken up."""

T = TypeVar("T")


def find_image_problems(collection: ImageCollection) -> list[str]:
    """Check all images and regions of a collection, and that every class has an image.

    Returns:
        The sentences of `problems_by_image` and `problems_of_classes`.
    """
    problems = list(chain.from_iterable(problems_by_image(collection)))
    return shortened(problems) + problems_of_classes(collection)


def problems_by_image(collection: ImageCollection) -> Iterator[list[str]]:
    """Read the images of a collection, a few in memory at a time.

    Yields:
        Of each image in turn, a sentence with image and file if the picture is unreadable or not
        of the declared size, and for each region that is outside it, has no area or is malformed.
    """
    with Pictures() as pictures:
        yield from map_images(lambda entry: _problems(entry, pictures), collection)


def map_images(work: Callable[[ImageEntry], T], collection: ImageCollection) -> Iterator[T]:
    """Do work on all images, several at once; results come in the order of the images.

    Rows of an npz file are read one after the other, which is all that its compression allows.
    """
    images: Sequence[ImageEntry] = collection.images
    alone = any(entry.source.member is not None for entry in images)
    with ThreadPoolExecutor(1 if alone else None) as pool:
        for start in range(0, len(images), AHEAD):
            yield from pool.map(work, images[start : start + AHEAD])


def _problems(entry: ImageEntry, pictures: Pictures) -> list[str]:
    file = entry.source.file
    try:
        height, width = pictures.read(entry.source).shape[:2]
    except RarelensError as error:
        return [f"{entry.image}: {problem}" for problem in error.problems]
    size = (width, height)
    if entry.size not in (None, size):
        declared = f"{entry.size[0]} × {entry.size[1]}" if entry.size else ""
        return [
            f"{entry.image}: {file}: {width} × {height} pixels, but {declared} are declared; "
            "correct one of them"
        ]
    found = [(region.where, region_problem(region, size)) for region in entry.regions]
    return [f"{entry.image}: {where}: {problem}" for where, problem in found if problem]


def problems_of_classes(collection: ImageCollection) -> list[str]:
    """Classes without a positive image: there is nothing to learn, nor to look for."""
    if not collection.images:
        return [f"{collection.folder}: {collection.name}: no image; add some"]
    return [
        f"{collection.folder}: no image has class {name}; add some, or leave the class out with "
        f"datasets.{collection.name}.preprocess.classes"
        for index, name in enumerate(collection.classes)
        if not any(entry.labels[index] == 1 for entry in collection.images)
    ]
