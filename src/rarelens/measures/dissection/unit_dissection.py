"""Dissection of units whose activations come batch by batch."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.arrays import as_array
from rarelens.measures.dissection.dissection import Dissection, dissect
from rarelens.measures.dissection.float_bits import narrow

Shape = tuple[int, ...]


class UnitDissection:
    """Which units of a layer respond to which concept, from batches of activations and masks.

    A unit's threshold is a quantile over all images, and permutations exchange masks between
    patients: so activations are kept, at their own resolution and as float16 where they come so,
    and masks, as bits. What lies on disk is better given to `dissect` as a memory map.

    Args:
        settings: the keyword arguments of `dissect`, which says what they mean: quantile,
            iou_threshold, maps, permutations, null_level, ceiling_share, seed, …

    Raises:
        TypeError: if `dissect` does not know one.

    Examples:
        >>> import numpy as np
        >>> units = UnitDissection(quantile=0.25)
        >>> for brightest in (1.0, 0.0):
        ...     activations = np.zeros((1, 1, 2, 2))  # an image, a unit, 2² positions
        ...     activations[0, 0, 0, 0] = brightest
        ...     masks = np.zeros((1, 1, 2, 2), bool)  # an image, a concept, 2² pixels
        ...     masks[0, 0, 0] = True
        ...     units.update(activations, masks)
        >>> units.compute().iou
        array([[0.25]])
    """

    def __init__(self, **settings: Any) -> None:
        inspect.signature(dissect).bind(None, None, groups=None, **settings)
        self.settings = settings
        self._activations: list[NDArray[Any]] = []
        self._masks: list[NDArray[np.uint8]] = []
        self._groups: list[Any] = []
        self._shapes: tuple[Shape, Shape] | None = None

    def update(
        self, activations: Any, masks: Any, groups: Sequence[Any] | NDArray[Any] | None = None
    ) -> None:
        """Add some images.

        Args:
            activations: (B, K, *grid), NumPy or torch.
            masks: (B, C, *size), bool.
            groups: (B,) the patient of each image, given with all images or with none.

        Raises:
            ValueError: if shapes do not fit one another, or earlier ones, or an image has no
                patient though others have.
        """
        own, regions = narrow(as_array(activations)), as_array(masks).astype(np.bool_)
        if own.ndim != regions.ndim or own.ndim < 3 or len(own) != len(regions):
            raise ValueError(
                f"activations of shape {own.shape} and masks of {regions.shape}: (B, K, *grid) and "
                "(B, C, *size) are expected"
            )
        patients = [] if groups is None else [*groups]
        if len(patients) != (0 if groups is None else len(own)):
            raise ValueError("groups needs the patient of each image")
        self._check((own.shape[1:], regions.shape[1:]), groups is not None)
        self._activations.append(own)
        self._groups += patients
        self._masks.append(np.packbits(regions.reshape(len(regions), -1), axis=1))

    def merge(self, other: UnitDissection) -> UnitDissection:
        """Add the images of another one, and return this one.

        Raises:
            ValueError: if its settings or shapes differ.
        """
        if self.settings != other.settings:
            raise ValueError(f"cannot merge: settings {other.settings} and {self.settings}")
        if other._shapes:
            self._check(other._shapes, bool(other._groups))
        self._activations += other._activations
        self._groups += other._groups
        self._masks += other._masks
        return self

    def compute(self) -> Dissection:
        """Dissect all images; the order in which they came does not matter.

        Raises:
            ValueError: if there is no image, or an activation is not finite.
        """
        if self._shapes is None:
            raise ValueError("no activations yet: call update first")
        packed, size = np.concatenate(self._masks), self._shapes[1]

        def masks(images: NDArray[np.int64]) -> NDArray[np.bool_]:
            flat = np.unpackbits(packed[images], axis=1, count=int(np.prod(size)))
            return flat.reshape(-1, *size).astype(np.bool_)

        groups = self._groups or None
        return dissect(np.concatenate(self._activations), masks, groups=groups, **self.settings)

    def _check(self, shapes: tuple[Shape, Shape], grouped: bool) -> None:
        """Refuse images that differ from earlier ones in shape, or in having a patient."""
        if self._shapes is not None and grouped != bool(self._groups):
            raise ValueError("some images have a patient and others have none; give groups for all")
        if self._shapes not in (None, shapes):
            raise ValueError(
                f"activations {shapes[0]} and masks {shapes[1]} of an image differ from earlier "
                f"ones, {self._shapes}"
            )
        self._shapes = shapes
