"""Overlap and surface distances of label maps, subject by subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rarelens.measures.arrays import Classes
from rarelens.measures.by_subject import BySubject
from rarelens.measures.overlap import overlap_rows


class SubjectOverlap(BySubject[list[dict[str, Any]]]):
    """How well label maps agree with the truth, per subject, foreground class and rule.

    What is done where one of the two holds no voxel of a class is told in
    `rarelens.measures.overlap`. Needs SciPy and MONAI (``pip install rarelens[measures]``).

    Args:
        classes: their names in the order of their labels, or how many there are; the first is
            the background, which is not measured.
        spacing: voxel size in mm, one number an axis, for subjects that bring none.
        tolerance: of surface Dice, in mm.

    Examples:
        >>> import numpy as np
        >>> overlap = SubjectOverlap(["background", "lesion"], spacing=(1, 1, 2))
        >>> truth = np.zeros((4, 4, 4), int)
        >>> truth[1:3, 1:3, 1:3] = 1
        >>> predicted = np.roll(truth, 1, axis=2)
        >>> overlap.update(predicted, truth, "patient 1")
        >>> row = overlap.compute()[0]
        >>> row["class"], row["rule"], row["dice"], row["hd95"], row["outcome"]
        ('lesion', 'all', 0.5, 2.0, 'present')
    """

    setting = "tolerance"

    def __init__(
        self, classes: Classes, spacing: Sequence[float] | None = None, tolerance: float = 1.0
    ) -> None:
        super().__init__(classes, spacing)
        self.tolerance = tolerance

    def update(
        self, predicted: Any, truth: Any, subject: Any, spacing: Sequence[float] | None = None
    ) -> None:
        """Measure one subject, whose label maps are not kept.

        Args:
            predicted: label map (X, Y, Z) or (X, Y), NumPy or torch.
            truth: label map of the same shape.
            subject: its name.
            spacing: voxel size in mm, one number an axis; by default that of all subjects.

        Raises:
            ValueError: if shapes, labels or spacing do not fit, or the subject was there before.
        """
        said, true, size = self._checked(predicted, truth, subject, spacing)
        rows = overlap_rows(said, true, len(self.classes), size, self.tolerance)
        self._found[subject] = [self._named(subject, row) for row in rows]

    def compute(self) -> list[dict[str, Any]]:
        """A row per subject, class and rule ("all" or "largest_component"), in order of update.

        Returns:
            ``subject``, ``class``, ``rule`` and the fields of `rarelens.measures.overlap.Overlap`:
            dice, sensitivity, precision, specificity, surface_dice (0 to 1), volume_ratio, hd95,
            assd (mm), outcome, truth_voxels, predicted_voxels.
        """
        return [row for rows in self._found.values() for row in rows]
