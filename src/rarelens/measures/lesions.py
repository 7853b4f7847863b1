"""Lesions of one subject: what a prediction finds of each component of the truth.

A **lesion** is a component of a class in the truth: voxels that touch by a face, edge or corner
(26-connected in volumes, 8-connected in images). The predicted components of the class that share
a voxel with it are its prediction P; with L the voxels of the lesion,

- *detected*: P is not empty, thus any voxel of the lesion was found;
- IoU = |L ∩ P| / |L ∪ P| and Dice = 2 |L ∩ P| / (|L| + |P|). A predicted component that reaches
  over two lesions belongs whole to both: to fuse them costs either;
- *margin*: the mean logit margin of the lesion's voxels (`rarelens.measures.margins`).

A **false alarm** is a predicted component that shares no voxel with the class's truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rarelens.measures.arrays import ratio
from rarelens.measures.label_maps import Labels
from rarelens.measures.margins import voxel_margins

Mask = NDArray[np.bool_]
Values = NDArray[np.float64]
Row = dict[str, Any]
Box = tuple[slice, ...]


class Lesions(NamedTuple):
    """The n lesions of one class, in the array's order of their first voxels.

    Attributes:
        voxels: (n,), of each lesion.
        iou: (n,), with the predicted components that touch it; 0 where none does.
        dice: (n,), likewise.
        margin: (n,), mean; NaN where no voxel has one.
        predicted: how many components the prediction has.
        false_alarms: how many of them touch no lesion.
    """

    voxels: NDArray[np.int64]
    iou: Values
    dice: Values
    margin: Values
    predicted: int
    false_alarms: int


def lesions(predicted: Mask, truth: Mask, margins: NDArray[Any] | None = None) -> Lesions:
    """Measure the components of one class.

    Args:
        predicted: mask (*spatial), which may be empty.
        truth: mask of the same shape.
        margins: of the voxels, for their true class; those of other voxels are not read. NaN
            where there is none.
    """
    touching = np.ones((3,) * truth.ndim)
    true, number = ndimage.label(truth, structure=touching)
    said, parts = ndimage.label(predicted, structure=touching)
    sizes = np.bincount(said.ravel(), minlength=parts + 1)
    voxels = np.bincount(true.ravel(), minlength=number + 1)[1:]
    both = truth & predicted
    pairs, shared = np.unique(
        true[both].astype(np.int64) * (parts + 1) + said[both], return_counts=True
    )
    lesion, part = np.divmod(pairs, parts + 1)
    hit = np.bincount(lesion, shared, number + 1)[1:]
    whole = np.bincount(lesion, sizes[part], number + 1)[1:]
    return Lesions(
        voxels,
        iou=hit / (voxels + whole - hit),
        dice=2 * hit / (voxels + whole),
        margin=_means(true, number, margins),
        predicted=parts,
        false_alarms=parts - np.unique(part).size,
    )


def lesion_rows(
    predicted: Labels,
    truth: Labels,
    classes: int,
    spacing: tuple[float, ...],
    margins: NDArray[Any] | None = None,
) -> tuple[list[Row], list[Row]]:
    """Every lesion of every foreground class of a subject, and their numbers.

    Args:
        predicted: label map (*spatial).
        truth: label map of the same shape.
        classes: number of classes, background included.
        spacing: voxel size, mm.
        margins: as of `lesions`; `margin_map` makes them.

    Returns:
        One row a lesion: class, lesion (from 1), voxels, volume (mm³; mm² of an image), detected,
        iou, dice, margin. One row a class, also where there are none: class, lesions, detected,
        predicted (components), false_alarms.
    """
    rows, counts = [], []
    for index, box in enumerate(_boxes(predicted, truth, classes), start=1):
        found = lesions(
            predicted[box] == index,
            truth[box] == index,
            None if margins is None else margins[box],
        )
        rows += list(_rows(index, found, float(np.prod(spacing))))
        counts.append(
            {
                "class": index,
                "lesions": found.voxels.size,
                "detected": int((found.iou > 0).sum()),
                "predicted": found.predicted,
                "false_alarms": found.false_alarms,
            }
        )
    return rows, counts


def margin_map(logits: NDArray[Any], truth: Labels) -> NDArray[Any]:
    """Margins of the foreground's voxels for their true class, (*spatial), NaN elsewhere.

    Args:
        logits: (C, n) of the n voxels whose true class is not 0, in the array's order.
        truth: label map (*spatial).
    """
    found = np.full(truth.shape, np.nan, logits.dtype)
    foreground = truth > 0
    labels = truth[foreground]
    margins = np.empty(labels.shape, logits.dtype)
    for label in np.unique(labels):
        margins[labels == label] = voxel_margins(logits[:, labels == label], label)
    found[foreground] = margins
    return found


def _rows(index: int, found: Lesions, voxel: float) -> Iterator[Row]:
    for place, voxels in enumerate(found.voxels.tolist()):
        yield {
            "class": index,
            "lesion": place + 1,
            "voxels": voxels,
            "volume": voxels * voxel,
            "detected": bool(found.iou[place] > 0),
            "iou": float(found.iou[place]),
            "dice": float(found.dice[place]),
            "margin": float(found.margin[place]),
        }


def _means(true: NDArray[np.int32], number: int, margins: NDArray[Any] | None) -> Values:
    """The mean margin of each lesion, (number,)."""
    if margins is None:
        return np.full(number, np.nan)
    at = (true > 0) & np.isfinite(margins)
    sums = np.bincount(true[at], margins[at].astype(np.float64), number + 1)
    return ratio(sums, np.bincount(true[at], minlength=number + 1))[1:]


def _boxes(predicted: Labels, truth: Labels, classes: int) -> Iterator[Box]:
    """Of each foreground class, the smallest box that holds it in either map."""
    found = (ndimage.find_objects(labels, max_label=classes - 1) for labels in (predicted, truth))
    for own in zip(*found, strict=True):
        known = [box for box in own if box is not None]
        yield (
            tuple(
                slice(min(side.start for side in sides), max(side.stop for side in sides))
                for sides in zip(*known, strict=True)
            )
            or (slice(0, 0),) * truth.ndim
        )
