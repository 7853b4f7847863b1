"""How alike the features of two networks are, gathered batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarelens.measures.arrays import as_array
from rarelens.measures.similarity import Array, debiased_linear_cka


class LinearCKA:
    """Debiased linear centred kernel alignment (`rarelens.measures.similarity` has the formula).

    Features are kept, for the unbiased estimator asks for all pairs of images: memory is
    n · (D + D') numbers.

    Examples:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> cka = LinearCKA()
        >>> for _ in range(4):
        ...     features = rng.normal(size=(8, 5))  # 8 images, 5 units
        ...     cka.update(features, -2 * features[:, ::-1])
        >>> round(cka.compute(), 6)
        1.0
    """

    def __init__(self) -> None:
        self._batches: list[tuple[Array, Array]] = []

    def update(self, x: Any, y: Any) -> None:
        """Add features of some images.

        Args:
            x: of one network, (B, D); or feature maps (B, D, *spatial), of which the spatial mean
                is taken. NumPy or torch.
            y: of another network, (B, D') or (B, D', *spatial), for the same images.

        Raises:
            ValueError: if shapes do not fit, also earlier ones, or a feature is not finite.
        """
        first, second = (_features(side) for side in (x, y))
        if len(first) != len(second):
            raise ValueError(f"{len(first)} images on one side and {len(second)} on the other")
        before = self._batches[0] if self._batches else (first, second)
        for side, known in zip((first, second), before, strict=True):
            if side.shape[1] != known.shape[1]:
                raise ValueError(f"{side.shape[1]} units, but {known.shape[1]} in earlier batches")
        self._batches.append((first, second))

    def merge(self, other: LinearCKA) -> LinearCKA:
        """Add the images of another one, and return this one."""
        for batch in other._batches.copy():
            self.update(*batch)
        return self

    def compute(self) -> float:
        """CKA, at most 1, about 0 for independent features.

        NaN for fewer than 4 images or features that do not vary.
        """
        if not self._batches:
            return float("nan")
        return debiased_linear_cka(*map(np.concatenate, zip(*self._batches, strict=True)))


def _features(values: Any) -> Array:
    array = as_array(values)
    if array.ndim < 2:
        raise ValueError(f"features of shape {array.shape}: (B, D) or (B, D, *spatial) is expected")
    if not np.isfinite(array).all():
        raise ValueError("a feature is not finite (NaN or infinite)")
    return np.asarray(array.reshape(*array.shape[:2], -1).mean(axis=2, dtype=np.float64))
