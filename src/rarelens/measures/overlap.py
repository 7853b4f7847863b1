"""Overlap of one subject's prediction and truth, per class, on the original grid.

What happens where one of the two holds no voxel of the class is defined, and told in ``outcome``:

===========  =====  =========  ==========================  ==========  ==================
outcome      truth  predicted  dice, sensitivity,          hd95, assd  volume ratio
                               precision, surface_dice
===========  =====  =========  ==========================  ==========  ==================
present      some   some       as defined                  as defined  predicted / true
missed       some   none       0                           diagonal    0
absent       none   none       1                           0           1
false_alarm  none   some       0                           diagonal    predicted / 1
===========  =====  =========  ==========================  ==========  ==================

So an error of either kind has the worst value of every measure and never leaves a mean. The
diagonal is that of the whole volume, in mm. A false alarm's volume ratio, infinite by the formula,
is taken as if one voxel were true. Specificity is always TN/(TN + FP), and 1 if all is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.surface import Mask, SurfaceMeasures, surface_measures

RULES = ("all", "largest_component")
HELD = ("present", "missed")  # outcomes of subjects who have the structure


@dataclass(frozen=True)
class Overlap:
    """Measures of one class in one subject; ``hd95`` and ``assd`` in mm."""

    dice: float
    sensitivity: float
    precision: float
    specificity: float
    volume_ratio: float
    hd95: float
    assd: float
    surface_dice: float
    outcome: str
    truth_voxels: int
    predicted_voxels: int


MEASURES = tuple(field.name for field in fields(Overlap) if field.type == "float")


def overlap_rows(
    predicted: NDArray[np.integer],
    truth: NDArray[np.integer],
    classes: int,
    spacing: tuple[float, ...],
    tolerance: float,
) -> Iterator[dict[str, Any]]:
    """Each foreground class under each rule.

    Rule "largest_component" keeps of the class's prediction only its largest component (voxels
    that touch by a face, edge or corner; of equals, the first in the array's order).

    Args:
        predicted: label map (X, Y, Z).
        truth: label map (X, Y, Z).
        classes: number of classes, background included.
        spacing: voxel size, mm.
        tolerance: of surface Dice, mm.

    Yields:
        class, rule and the fields of `Overlap`.
    """
    for index in range(1, classes):
        mask, true = predicted == index, truth == index
        measured = overlap(mask, true, spacing, tolerance)
        yield {"class": index, "rule": RULES[0], **asdict(measured)}
        largest = largest_component(mask)
        if largest is not mask:
            measured = overlap(largest, true, spacing, tolerance)
        yield {"class": index, "rule": RULES[1], **asdict(measured)}


def overlap(predicted: Mask, truth: Mask, spacing: tuple[float, ...], tolerance: float) -> Overlap:
    """Measure two masks (X, Y, Z) of one class, which may be empty."""
    true, said = int(truth.sum()), int(predicted.sum())
    hit = int((truth & predicted).sum())
    negatives = truth.size - true
    surface = _surface(predicted, truth, spacing, tolerance)
    absent = true + said == 0
    return Overlap(
        dice=1.0 if absent else 2 * hit / (true + said),
        sensitivity=1.0 if absent else hit / max(true, 1),
        precision=1.0 if absent else hit / max(said, 1),
        specificity=(negatives - (said - hit)) / negatives if negatives else 1.0,
        volume_ratio=1.0 if absent else said / max(true, 1),
        **surface._asdict(),
        outcome=_outcome(true, said),
        truth_voxels=true,
        predicted_voxels=said,
    )


def largest_component(mask: Mask) -> Mask:
    """The mask's largest component; the very same array if it has one or none."""
    from scipy import ndimage

    box = _box(mask)
    labels, number = ndimage.label(mask[box], structure=np.ones((3,) * mask.ndim))
    if number < 2:
        return mask
    largest = np.zeros_like(mask)
    largest[box] = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return largest


def _outcome(true: int, said: int) -> str:
    if true:
        return "present" if said else "missed"
    return "false_alarm" if said else "absent"


def _surface(
    predicted: Mask, truth: Mask, spacing: tuple[float, ...], tolerance: float
) -> SurfaceMeasures:
    some = predicted.any(), truth.any()
    if all(some):
        box = _box(predicted | truth)
        return surface_measures(predicted[box], truth[box], spacing, tolerance)
    if any(some):
        diagonal = float(np.linalg.norm(np.multiply(truth.shape, spacing)))
        return SurfaceMeasures(hd95=diagonal, assd=diagonal, surface_dice=0.0)
    return SurfaceMeasures(hd95=0.0, assd=0.0, surface_dice=1.0)


def _box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds the mask; an empty one for an empty mask."""
    # Here, because readers of tables import this module for `MEASURES` alone.
    from scipy import ndimage

    found: list[tuple[slice, ...]] = ndimage.find_objects(mask.astype(np.uint8), max_label=1)
    return found[0] or (slice(0, 0),) * mask.ndim
