"""In how many pieces a unit responds inside the region of a finding: 8-connected components.

After Khakzar et al. (arXiv 2204.01729), whose code counts contours, those of holes included.
Components are found from runs of pixels in rows, so that their cost is that of the active pixels,
not that of the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Integers = NDArray[np.int64]


def components_inside(active: ArrayLike, region: ArrayLike) -> NDArray[np.int64]:
    """8-connected components of each binary map within a region.

    Args:
        active: (K, H, W) bool.
        region: (H, W) bool.

    Returns:
        Shape (K,).

    Examples:
        >>> components_inside([[[1, 0, 1], [0, 1, 0]]], [[1, 1, 1], [0, 0, 0]])
        array([2])
    """
    inside = np.asarray(active, np.bool_) & np.asarray(region, np.bool_)
    item, pixel = np.nonzero(inside.reshape(len(inside), -1))
    return count_components(item, pixel, len(inside), inside.shape[1:])


def count_components(
    item: Integers, pixel: Integers, items: int, size: Sequence[int]
) -> NDArray[np.int64]:
    """8-connected components of each item's pixels.

    Args:
        item: of each pixel, below ``items``.
        pixel: its place in the flattened image; no pixel of an item twice.
        items: how many.
        size: (H, W).

    Returns:
        Shape (items,).
    """
    height, width = size
    # A free column beside and a free row below keep rows and items apart.
    stride, frame = width + 2, (height + 1) * (width + 2)
    row, column = np.divmod(np.asarray(pixel), width)
    place = np.sort(np.asarray(item) * frame + row * stride + column + 1)
    if place.size == 0:
        return np.zeros(items, np.int64)
    ends_here = np.diff(place, append=-1) != 1
    last = place[ends_here]
    first = place[np.concatenate([[True], ends_here[:-1]])]
    # Runs of the next row that touch [first − 1, last + 1].
    low = np.searchsorted(last, first + stride - 1, "left")
    high = np.searchsorted(first, last + stride + 1, "right")
    count, labels = _components(low, high - low)
    own = np.zeros(count, np.int64)
    own[labels] = first // frame
    return np.bincount(own, minlength=items)


def _components(first_touched: Integers, touched: Integers) -> tuple[int, NDArray[Any]]:
    """Number of components, and the component of each run, given its neighbours below."""
    runs, edges = len(touched), int(touched.sum())
    above = np.repeat(np.arange(runs), touched)
    start = np.repeat(touched.cumsum() - touched, touched)
    below = np.repeat(first_touched, touched) + np.arange(edges) - start
    graph = coo_array((np.ones(edges, np.int8), (above, below)), shape=(runs, runs))
    count, labels = connected_components(graph, directed=False)
    return int(count), labels
