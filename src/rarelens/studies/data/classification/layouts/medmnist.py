"""MedMNIST: one npz file with the images and labels of its official split.

Labels (N, C) of 0 and 1 are multi-label; (N, 1) is the class of each image. The file names no
classes, so that they are called ``class_0``, ``class_1``, …; nor patients, so that each image is
its own group.

Source: Yang et al., MedMNIST v2, Scientific Data 2023.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import (
    ImageCollection,
    ImageEntry,
    Official,
    Source,
)
from rarelens.studies.data.classification.reading import NpzMember
from rarelens.studies.data.files import one_of, refuse, visible

SIDES: dict[str, Official] = {"train": "train", "val": "validation", "test": "test"}
MOST_CLASSES = 1000


def read(folder: Path, name: str) -> ImageCollection:
    """Read the only npz file of a folder.

    Raises:
        RarelensError: for arrays that are missing, of the wrong shape or type, of differing
            lengths, or labels that are neither 0 and 1 nor a class.
    """
    file = one_of(folder, visible(folder.glob("*.npz")), "npz file")
    labels = {part: _labels(file, part) for part in SIDES}
    refuse(_label_problems(file, labels))
    if next(iter(labels.values())).shape[1] == 1:
        count = 1 + max(int(values.max(initial=0)) for values in labels.values())
        labels = {part: np.eye(count)[values[:, 0]] for part, values in labels.items()}
    images = [
        ImageEntry(
            image=f"{part}_{row:06d}",
            source=Source(file, f"{part}_images", row),
            labels=tuple(float(value) for value in values),
            official=SIDES[part],
        )
        for part in sorted(SIDES)
        for row, values in enumerate(labels[part])
    ]
    count = next(iter(labels.values())).shape[1]
    return ImageCollection(
        name,
        folder,
        tuple(f"class_{index}" for index in range(count)),
        tuple(images),
        {side: f"{part}_images" for part, side in SIDES.items()},
    )


def _labels(file: Path, part: str) -> NDArray[Any]:
    """Labels (N, C or 1) as whole numbers; they are small enough to be read at once."""
    with (
        closing(NpzMember(file, f"{part}_images")) as images,
        closing(NpzMember(file, f"{part}_labels")) as labels,
    ):
        colour = len(images.shape) == 4 and images.shape[3] == 3
        if (len(images.shape) != 3 and not colour) or images.dtype != np.uint8:
            raise RarelensError(
                f"{file}: {part}_images is {images.dtype} of shape {images.shape}; it must be "
                "uint8 of (N, H, W) or (N, H, W, 3)"
            )
        if len(labels.shape) != 2 or labels.shape[0] != images.shape[0]:
            raise RarelensError(
                f"{file}: {part}_labels is of shape {labels.shape}, {part}_images of "
                f"{images.shape}; it must be (N, C), one row an image"
            )
        if labels.dtype.kind not in "bui":
            raise RarelensError(
                f"{file}: {part}_labels is {labels.dtype}; it must be of whole numbers"
            )
        rows = [labels.row(number) for number in range(labels.shape[0])]
        return np.array(rows, dtype=np.int64).reshape(labels.shape)


def _label_problems(file: Path, labels: dict[str, NDArray[Any]]) -> list[str]:
    widths = {values.shape[1] for values in labels.values()}
    if len(widths) > 1:
        return [f"{file}: labels have {sorted(widths)} columns; give all parts the same"]
    most = 1 if widths != {1} else MOST_CLASSES - 1
    return [
        f"{part}_{row:06d}: {file}: label {values[row].tolist()} is "
        f"{'no class' if widths == {1} else 'not of 0 and 1'}; correct it"
        for part, values in labels.items()
        for row in np.flatnonzero(((values < 0) | (values > most)).any(axis=1))
    ]
