"""What measures of label maps share that take one subject at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

from rarelens.measures.arrays import Classes, class_names
from rarelens.measures.label_maps import Labels, paired_maps

Found = TypeVar("Found")


class BySubject(Generic[Found]):
    """Classes, a spacing for subjects that bring none, and what was found of each subject.

    ``setting`` names the attribute that two of a kind must share to be merged, besides classes.
    """

    setting: ClassVar[str]

    def __init__(self, classes: Classes, spacing: Sequence[float] | None) -> None:
        self.classes = class_names(classes)
        self.spacing = None if spacing is None else tuple(spacing)
        self._found: dict[Any, Found] = {}

    def merge(self, other: Self) -> Self:
        """Add the subjects of another one, and return this one.

        Raises:
            ValueError: if its classes or `setting` differ, or a subject is in both.
        """
        if any(getattr(self, name) != getattr(other, name) for name in ("classes", self.setting)):
            raise ValueError(f"cannot merge: classes or {self.setting} differ")
        if both := sorted(map(str, self._found.keys() & other._found.keys())):
            raise ValueError(f"cannot merge: {', '.join(both)} measured in both")
        self._found |= other._found
        return self

    def _checked(
        self, predicted: Any, truth: Any, subject: Any, spacing: Sequence[float] | None
    ) -> tuple[Labels, Labels, tuple[float, ...]]:
        """As `paired_maps`; of a subject that was not measured before."""
        own = self.spacing if spacing is None else tuple(spacing)
        checked = paired_maps(predicted, truth, len(self.classes), own)
        if subject in self._found:
            raise ValueError(f"subject {subject} was measured before")
        return checked

    def _named(self, subject: Any, row: dict[str, Any]) -> dict[str, Any]:
        """A row with its subject's name first, and its class's name for the label."""
        return {"subject": subject, **row, "class": self.classes[row["class"]]}
