"""Classes of label maps: values that exclude each other, or regions of values, which overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.arrays import as_array, class_names

Labels = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scheme:
    """What label values and channels mean.

    Attributes:
        names: of the classes, the background first.
        regions: the label values of each foreground class, if classes are regions: channels then
            are the foreground classes, each with a sigmoid. None if value and channel c are
            class c.
        ignore: the label value of voxels that do not count, if there is one.
        paint: of regions, the value that each leaves in a label map, painted in this order
            (nnU-Net's ``regions_class_order``).
    """

    names: tuple[str, ...]
    regions: tuple[tuple[int, ...], ...] | None = None
    ignore: int | None = None
    paint: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        class_names(self.names)
        if self.regions is not None and len(self.regions) != len(self.names) - 1:
            raise ValueError(
                f"{len(self.regions)} regions for {len(self.names) - 1} foreground classes"
            )

    @property
    def channels(self) -> int:
        """Of the scores."""
        return len(self.names) - (self.regions is not None)

    def split(self, labels: Any) -> tuple[list[Mask], Mask | None]:
        """A mask for each class of a label map, and of what counts (None: every voxel).

        Raises:
            ValueError: for values that are no class.
        """
        values = as_array(labels)
        counted = None if self.ignore is None else values != self.ignore
        known = set(range(len(self.names)))
        if self.regions is not None:
            known = {0}.union(*self.regions)
        wrong = [value for value in _values(values) if value not in known | {self.ignore}]
        if wrong:
            raise ValueError(
                f"label values {', '.join(f'{value:g}' for value in wrong[:5])} are no class: "
                f"{', '.join(map(str, sorted(known)))} are"
            )
        if self.regions is None:
            masks = [values == index for index in range(len(self.names))]
        else:
            masks = [np.isin(values, region) for region in self.regions]
            masks.insert(0, ~np.logical_or.reduce(masks))
        return [mask if counted is None else mask & counted for mask in masks], counted

    def decide(self, scores: NDArray[Any], kind: str) -> list[Mask]:
        """What scores (channels, *spatial) say, a mask for each class.

        Of regions: where the probability is above a half.
        """
        if self.regions is None:
            said = scores.argmax(0)
            return [said == index for index in range(len(self.names))]
        masks = [channel > (0.5 if kind == "probabilities" else 0) for channel in scores]
        return [~np.logical_or.reduce(masks), *masks]

    def paint_labels(self, masks: Sequence[Mask]) -> Labels:
        """The label map of masks, one for each class; regions are painted one over another."""
        labels = np.zeros(masks[0].shape, np.uint8 if len(masks) < 256 else np.uint16)
        values = range(1, len(masks)) if self.regions is None else self.paint
        if values is None:
            raise ValueError("regions need regions_class_order to be written as a label map")
        for value, mask in zip(values, masks[1:], strict=True):
            labels[mask] = value
        return labels


def _values(labels: NDArray[Any]) -> list[Any]:
    if labels.dtype.kind in "iu" and labels.size and labels.min() >= 0 and labels.max() < 2**16:
        found: list[Any] = np.flatnonzero(np.bincount(labels.ravel())).tolist()
        return found
    values: list[Any] = np.unique(labels).tolist()
    return values
