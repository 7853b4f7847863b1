"""Which lesions are found, subject by subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rarelens.measures.arrays import Classes, as_array, ratio
from rarelens.measures.by_subject import BySubject
from rarelens.measures.label_maps import Labels
from rarelens.measures.lesions import Row, lesion_rows, margin_map

IOU = 0.1
"""The overlap above which a lesion counts as detected by IoU; low, for lesions are small."""


class LesionDetection(BySubject[tuple[list[Row], list[Row]]]):
    """Which lesions of a class were found, how well, and what was a false alarm.

    `rarelens.measures.lesions` defines lesions, detection, IoU, Dice and false alarms. Needs SciPy
    (``pip install rarelens[measures]``).

    Args:
        classes: their names in the order of their labels, or how many there are; the first is
            the background, which has no lesions.
        spacing: voxel size in mm, one number an axis, for subjects that bring none.
        iou: above it a lesion counts as detected by IoU, from 0 to below 1.

    Raises:
        ValueError: if there are fewer than two classes, or ``iou`` is not in that range.

    Examples:
        >>> import numpy as np
        >>> detection = LesionDetection(["background", "lesion"], spacing=(1, 1, 2))
        >>> truth = np.zeros((8, 8, 8), int)
        >>> truth[1:3, 1:3, 1:3] = truth[5, 5, 5] = 1
        >>> predicted = np.zeros_like(truth)
        >>> predicted[1:3, 1:3, 2] = predicted[7, 0, 0] = 1
        >>> detection.update(predicted, truth, "patient 1")
        >>> [(row["volume"], row["detected"], row["iou"]) for row in detection.compute()]
        [(16.0, True, 0.5), (2.0, False, 0.0)]
        >>> (patient,) = detection.compute_subjects()
        >>> patient["lesions"], patient["detected"], patient["false_alarms"], patient["f1"]
        (2, 1, 1, 0.5)
    """

    setting = "iou"

    def __init__(
        self, classes: Classes, spacing: Sequence[float] | None = None, iou: float = IOU
    ) -> None:
        super().__init__(classes, spacing)
        if not 0 <= iou < 1:
            raise ValueError(f"iou: {iou} is not from 0 to below 1")
        self.iou = iou

    def update(
        self,
        predicted: Any,
        truth: Any,
        subject: Any,
        spacing: Sequence[float] | None = None,
        logits: Any = None,
    ) -> None:
        """Measure one subject, whose arrays are not kept.

        Args:
            predicted: label map (X, Y, Z) or (X, Y), NumPy or torch.
            truth: label map of the same shape.
            subject: its name.
            spacing: voxel size in mm, one number an axis; by default that of all subjects.
            logits: (C, *spatial), for the mean margin of each lesion; without, that is NaN.

        Raises:
            ValueError: if shapes, labels, spacing or logits do not fit, or the subject was there
                before.
        """
        said, true, size = self._checked(predicted, truth, subject, spacing)
        margins = None if logits is None else self._margins(logits, true)
        self._found[subject] = lesion_rows(said, true, len(self.classes), size, margins)

    def compute(self) -> list[Row]:
        """A row per subject, class and lesion, in order of update.

        Returns:
            ``subject``, ``class``, ``lesion`` (from 1), ``voxels``, ``volume`` (mm³; mm² of an
            image), ``detected`` (any voxel), ``iou``, ``detected_iou``, ``dice``, ``margin`` (mean
            over its voxels, in logits).
        """
        return [
            self._named(subject, row) | {"detected_iou": row["iou"] > self.iou}
            for subject, (rows, _) in self._found.items()
            for row in rows
        ]

    def compute_subjects(self) -> list[Row]:
        """A row per subject and foreground class, in order of update.

        Returns:
            ``subject``, ``class``, ``lesions``, ``detected`` (of them, by any voxel), ``predicted``
            (components), ``false_alarms``, and ``f1`` (`f1`).
        """
        return [
            self._named(subject, row)
            | {"f1": float(f1(row["lesions"], row["detected"], row["false_alarms"]))}
            for subject, (_, counts) in self._found.items()
            for row in counts
        ]

    def _margins(self, logits: Any, truth: Labels) -> Any:
        values = as_array(logits)
        if values.shape != (len(self.classes), *truth.shape):
            raise ValueError(
                f"logits of shape {values.shape} do not fit {len(self.classes)} classes and a "
                f"truth of {truth.shape}"
            )
        own = values[:, truth > 0]
        if not np.isfinite(own).all():
            raise ValueError("a logit of a lesion is not finite (NaN or infinite)")
        return margin_map(own if own.dtype == np.float64 else own.astype(np.float32), truth)


def f1(lesions: ArrayLike, detected: ArrayLike, false_alarms: ArrayLike) -> NDArray[np.float64]:
    """F1 of subjects' lesions, D / (D + (missed + false alarms) / 2); NaN without lesions."""
    total, found, wrong = map(np.asarray, (lesions, detected, false_alarms))
    return np.where(total > 0, ratio(2 * found, total + found + wrong), np.nan)
