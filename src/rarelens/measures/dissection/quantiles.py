"""Quantiles of unit activations over a whole data set: sorted in memory, or counted on disk.

Both give numpy's default quantile without error. What does not fit into memory is counted by the
upper and then by the lower half of the values' bits (a radix selection): two passes over the
data and 0.5 MB a unit for any number of values, one pass where the values are float16. Counts add
up, so the answer does not depend on how the data is cut into chunks; the rank error is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.dissection.float_bits import exceeds

Floats = NDArray[np.float64]
Chunks = Callable[[], Iterable[NDArray[Any]]]

HALF = 16
BINS = 1 << HALF
# A quantile is first looked for among the values above one of a sample of about so many.
# The bound leaves so many times as many as are sought; the second is tried if the first misled.
SAMPLE_VALUES = 8192
SPARE = (2, 8)


def neighbours(count: int, share: float) -> tuple[int, float]:
    """Rank below the ``share``-quantile of ``count`` values, and how far it is to the next.

    As numpy's default (``linear``): the quantile stands at rank (count − 1)·share.
    """
    place = (count - 1) * share
    rank = min(int(place), count - 1)
    return rank, place - rank


def between(low: NDArray[Any], high: NDArray[Any], way: float) -> Floats:
    """The value ``way`` of the way from low to high, rounded as numpy's quantile is."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    step: Floats = high - low
    value: Floats = low + step * way if way < 0.5 else high - step * (1 - way)
    return value


def sorted_quantile(values: NDArray[Any], share: float) -> float:
    """The ``share``-quantile of all (float16 or float32) values, exactly numpy's in float64.

    Faster where ``share`` is near 1: only values above a bound are sorted, the bound being taken
    from a sample; it changes the time, not the answer.

    Examples:
        >>> sorted_quantile(np.array([[4, 1], [2, 3]], np.float32), 0.5)
        2.5
    """
    count = values.size
    rank, way = neighbours(count, share)
    upper = _upper_part(values, share, count - rank)
    skipped = count - upper.size
    last = min(rank + 1, count - 1) - skipped
    ordered = np.partition(upper, [rank - skipped, last])
    return float(between(ordered[rank - skipped], ordered[last], way))


def _upper_part(values: NDArray[Any], share: float, needed: int) -> NDArray[Any]:
    """At least the ``needed`` largest values, if possible not many more."""
    axes = max(1, values.ndim - 1)
    step = max(1, int((values.size / SAMPLE_VALUES) ** (1 / axes)))
    # Of all images if there are several axes, for a unit may respond to few of them.
    some = (slice(None),) * (values.ndim - axes) + (slice(step // 2, None, step),) * axes
    sample = values[some].ravel().astype(np.float32)
    for spare in SPARE if step > 1 else ():
        place = int((1 - spare * (1 - share)) * sample.size)
        if not 0 <= place < sample.size:
            break
        upper: NDArray[Any] = values[exceeds(values, np.partition(sample, place)[place])]
        if upper.size >= needed:
            return upper.astype(np.float32)
    return values.ravel().astype(np.float32)


def counted_quantiles(chunks: Chunks, units: int, share: float) -> Floats:
    """The ``share``-quantile of each unit by counting, in memory that the data does not touch.

    Args:
        chunks: called once for each pass; gives arrays (n, K, ...) of one dtype, float16 or
            float32, together all the data, in any order.
        units: K.
        share: between 0 and 1.

    Returns:
        Shape (K,); equal to ``np.quantile`` in float64.

    Examples:
        >>> data = np.arange(10, dtype=np.float32).reshape(5, 2)
        >>> counted_quantiles(lambda: [data[:2], data[2:]], 2, 0.5)
        array([4., 5.])
    """
    upper, bits = _count(chunks, units, None)
    count = int(upper[0].sum())
    rank, way = neighbours(count, share)
    low, high = (_select(chunks, upper, bits, own) for own in (rank, min(rank + 1, count - 1)))
    return between(low, high, way)


def _select(chunks: Chunks, upper: NDArray[np.int64], bits: int, rank: int) -> Floats:
    """The value of each unit at ``rank`` (from 0), given the counts of the first pass."""
    prefix, rest = _find(upper, np.full(len(upper), rank))
    if bits == HALF:
        return _value(prefix.astype(np.uint16))
    lower, _ = _count(chunks, len(upper), prefix)
    suffix, _ = _find(lower, rest)
    return _value(((prefix << HALF) | suffix).astype(np.uint32))


def _find(counts: NDArray[np.int64], ranks: NDArray[np.int64]) -> tuple[Any, Any]:
    """The bin of each row that holds its rank, and the rank within that bin."""
    cumulative = counts.cumsum(axis=1)
    index = (cumulative <= ranks[:, None]).sum(axis=1)
    rows = np.arange(len(counts))
    return index, ranks - (cumulative[rows, index] - counts[rows, index])


def _count(
    chunks: Chunks, units: int, prefix: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], int]:
    """Counts (K, 65536) by the upper 16 bits, or by the lower ones of values with a prefix."""
    counts = np.zeros((units, BINS), np.int64)
    bits = HALF
    for chunk in chunks():
        keys = _keys(np.asarray(chunk))
        bits = 8 * keys.itemsize
        for unit in range(units):
            own = keys[:, unit].ravel()
            if prefix is not None:
                own = own[own >> HALF == prefix[unit]] & (BINS - 1)
            elif bits > HALF:
                own = own >> HALF
            counts[unit] += np.bincount(own, minlength=BINS)
    return counts, bits


def _keys(values: NDArray[Any]) -> NDArray[Any]:
    """Unsigned integers in the order of the values: sign bit flipped, or all bits if negative."""
    # Adding 0 turns −0 into 0, which numpy does not tell apart.
    plain = np.ascontiguousarray(values + values.dtype.type(0))
    code = plain.view(np.dtype(f"u{values.dtype.itemsize}"))
    sign = code.dtype.type(1 << (8 * code.itemsize - 1))
    return np.where(code & sign, ~code, code | sign)


def _value(keys: NDArray[Any]) -> Floats:
    """The values that `_keys` made these keys of."""
    sign = keys.dtype.type(1 << (8 * keys.itemsize - 1))
    code = np.where(keys & sign, keys & ~sign, ~keys)
    return code.view(np.dtype(f"f{keys.itemsize}")).astype(np.float64)
