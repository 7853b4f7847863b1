"""Bootstrap over groups: all images of a patient are drawn together.

Images of one patient are alike; drawing them one by one would make intervals too narrow (Field
and Welsh, Journal of the Royal Statistical Society B 2007). A draw is a row of weights: how often
each group was taken. Row 0 takes each group once, so that it gives the estimate itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

CHUNK = 4_000_000  # Entries of a draws × images matrix that are held at once.


@dataclass(frozen=True)
class Clusters:
    """``codes`` (n,): each image's group; ``weights`` (1 + B, G): the estimate, then B draws."""

    codes: Integers
    weights: Array

    @classmethod
    def draw(cls, groups: ArrayLike, draws: int, seed: Sequence[int]) -> Clusters:
        """Draw groups with replacement, as many as there are.

        Args:
            groups: (n,), the group of each image.
            draws: B.
            seed: of the random numbers; the same groups with the same seed give the same draws.
        """
        names, codes = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
        number = len(names)
        if number == 0:
            return cls(codes.astype(np.int64), np.zeros((1 + draws, 0)))
        rng = np.random.default_rng(list(seed))
        drawn = rng.multinomial(number, np.full(number, 1 / number), size=draws)
        weights = np.vstack([np.ones((1, number)), drawn]).astype(np.float64)
        return cls(codes.astype(np.int64), weights)

    def sums(self, values: ArrayLike, rows: ArrayLike | None = None) -> Array:
        """Weighted sums over images: ``values`` (n, k) of images ``rows`` give (1 + B, k)."""
        columns = np.asarray(values, dtype=np.float64)
        codes = self.codes if rows is None else self.codes[np.asarray(rows)]
        by_group = np.zeros((self.weights.shape[1], columns.shape[1]))
        np.add.at(by_group, codes, columns)
        return self.weights @ by_group

    def by_image(self, rows: ArrayLike) -> Iterator[Array]:
        """The weights of images ``rows``, (b, n) at a time, together all 1 + B draws."""
        codes = self.codes[np.asarray(rows)]
        step = max(1, CHUNK // max(len(codes), 1))
        for start in range(0, len(self.weights), step):
            yield self.weights[start : start + step][:, codes]


def percentiles(draws: Array, confidence: float) -> tuple[Array, Array]:
    """Bounds of the percentile interval, over the draws in which the value is defined.

    Args:
        draws: (B, ...).
        confidence: share of the draws within, 0 to 1.

    Returns:
        Two arrays (...); NaN where no draw is defined.
    """
    flat = draws.reshape(len(draws), -1)
    tail = (1 - confidence) / 2
    bounds = np.full((2, flat.shape[1]), np.nan)
    for column, values in enumerate(flat.T):
        known = values[np.isfinite(values)]
        if known.size:
            bounds[:, column] = np.quantile(known, [tail, 1 - tail])
    low, high = bounds.reshape(2, *draws.shape[1:])
    return low, high


def completed(values: Array) -> Array:
    """``values`` (1 + B, …) with those of the sample, row 0, where a draw has none.

    For means over classes: a draw may hold no patient of a rare class, and a mean over the classes
    that are left would be another quantity. The class then counts with its value in the sample.
    """
    return np.where(np.isfinite(values), values, values[:1])
