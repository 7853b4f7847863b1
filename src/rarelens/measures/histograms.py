"""Exact sums and fine histograms of voxel values, and what can be said from them.

Voxels are counted with `bin_of`, `count_bins` and `Moments.of`; statistics are read off the counts.
A histogram is a pair: ``bins``, the sorted integer bins that hold anything, shape (K,), and
``counts``, shape (..., K), whose leading axes run over subjects or bootstrap replicates. Bin b
covers [b·width, (b+1)·width).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rarelens.measures.arrays import ratio

Floats = NDArray[np.float64]
Bins = NDArray[np.integer[Any]]

DENSE_GRID = 2**24
"""Largest grid of bins, in cells, that is counted densely (128 MiB)."""


class Moments(NamedTuple):
    """Exact sums over voxels; each field a float64 array of the same shape (...)."""

    number: Floats
    total: Floats
    squares: Floats
    negative: Floats

    @classmethod
    def of(cls, values: ArrayLike) -> Moments:
        """Sum over all ``values`` (any shape), in float64; fields have shape ()."""
        flat = np.asarray(values, dtype=np.float64).ravel()
        sums = (flat.size, flat.sum(), np.square(flat).sum(), np.count_nonzero(flat < 0))
        return cls(*(np.asarray(value, dtype=np.float64) for value in sums))

    def pooled(self, weights: Floats) -> Moments:
        """Sum over subjects: fields (S,) with ``weights`` (B, S) give fields (B,)."""
        # einsum, not a matrix product: its order of summation does not depend on threads.
        return Moments(*(np.einsum("bs,s->b", weights, field) for field in self))

    @property
    def mean(self) -> Floats:
        """Mean; NaN where nothing was counted."""
        return ratio(self.total, self.number)

    @property
    def negative_fraction(self) -> Floats:
        """Share of values below 0; NaN where nothing was counted."""
        return ratio(self.negative, self.number)

    @property
    def squared_deviations(self) -> Floats:
        """Sum of squared deviations from the mean."""
        return np.maximum(self.squares - self.total * self.mean, 0.0)


def pooled_standard_deviation(first: Moments, second: Moments) -> Floats:
    """Within-group standard deviation, sqrt((Q₁ + Q₂)/(n₁ + n₂ − 2)); NaN if undefined.

    Q is the sum of squared deviations from the group's own mean (Cohen 1988).
    """
    freedom = first.number + second.number - 2
    variance = ratio(first.squared_deviations + second.squared_deviations, freedom)
    return np.sqrt(variance)


def bin_of(values: ArrayLike, width: float) -> NDArray[np.int32]:
    """Bin of each value: floor(value / width), in float64 whatever the input's type.

    Raises:
        ValueError: if a value is not finite or its bin does not fit int32.
    """
    bins = np.floor(np.asarray(values, dtype=np.float64) / width)
    if not np.all(np.abs(bins) <= np.iinfo(np.int32).max):
        raise ValueError(f"a value is not finite, or too large for bins of {width}")
    return bins.astype(np.int32)


def count_bins(values: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Distinct columns of ``values`` (D, N) in ascending order, and how often each occurs.

    As `np.unique` with its counts does, but in linear time wherever the grid of all columns
    between the least and the greatest is small, as it is but for a network that diverged.
    """
    if values.shape[1] == 0:
        return values, np.zeros(0, np.int64)
    low = values.min(1, keepdims=True)
    extent = tuple(int(b) - int(a) + 1 for a, b in zip(low[:, 0], values.max(1), strict=True))
    if math.prod(extent) > DENSE_GRID:
        return np.unique(values, axis=1, return_counts=True)
    counts = np.bincount(np.ravel_multi_index(tuple(values - low), extent))
    occupied = np.flatnonzero(counts)
    distinct = np.array(np.unravel_index(occupied, extent), np.int32) + low
    return distinct, counts[occupied].astype(np.int64)


def count_each(
    values: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Distinct values of each row of ``values`` (D, N): row, value, how often it occurs.

    In ascending order, in one pass over all rows where `count_bins` would take one a row.
    """
    rows, low = np.arange(len(values))[:, None], values.min(1, keepdims=True)
    extent = values.max(1).astype(np.int64) - low[:, 0] + 1
    ends = extent.cumsum()
    if ends[-1] > DENSE_GRID:
        row = np.broadcast_to(rows, values.shape).ravel()
        (found, distinct), counts = np.unique([row, values.ravel()], axis=1, return_counts=True)
        return found, distinct.astype(np.int32), counts.astype(np.int64)
    starts = (ends - extent)[:, None]
    counts = np.bincount((values - low + starts.astype(np.int32)).ravel())
    place = np.flatnonzero(counts)
    row = np.searchsorted(ends, place, "right")
    return row, (place + (low - starts)[row, 0]).astype(np.int32), counts[place].astype(np.int64)


def quantile_from_histogram(bins: Bins, counts: ArrayLike, q: float, width: float) -> Floats:
    """The q-quantile, interpolated within the bin that holds it.

    The bin is the one of the exact quantile by the inverted distribution function (numpy's
    ``inverted_cdf``), so the error is at most ``width``.

    Returns:
        Shape (...); NaN where nothing was counted.
    """
    counts = np.asarray(counts, dtype=np.float64)
    cumulative = np.cumsum(counts, axis=-1)
    if counts.shape[-1] == 0:
        return np.full(counts.shape[:-1], np.nan)
    total = cumulative[..., -1:]
    place = q * total
    index = np.argmax((cumulative >= place) & (cumulative > 0), axis=-1)[..., None]
    held = np.take_along_axis(counts, index, axis=-1)
    before = np.take_along_axis(cumulative, index, axis=-1) - held
    value = (bins[index] + ratio(place - before, held)) * width
    return np.where(total > 0, value, np.nan)[..., 0]


def wasserstein_from_histograms(
    bins: Bins, first: ArrayLike, second: ArrayLike, width: float
) -> Floats:
    """Wasserstein-1 distance of two histograms over the same bins: ∫ |F − G|.

    Each value counts as its bin's middle, so the distance of the raw values is off by at most
    ``width`` (half a bin on each side).

    Returns:
        Shape (...), in the unit of ``width``; NaN where either histogram is empty.
    """
    first, second = (np.asarray(counts, dtype=np.float64) for counts in (first, second))
    totals = [counts.sum(axis=-1, keepdims=True) for counts in (first, second)]
    shares = [
        ratio(np.cumsum(counts, axis=-1), total)
        for counts, total in zip((first, second), totals, strict=True)
    ]
    steps = np.diff(bins).astype(np.float64) * width
    distance = (np.abs(shares[0] - shares[1])[..., :-1] * steps).sum(axis=-1)
    either_empty = (totals[0] == 0) | (totals[1] == 0)
    return np.where(either_empty[..., 0], np.nan, distance)
