"""Activations of a few units at a time, and the quantiles that are their thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.dissection.float_bits import all_finite, narrow
from rarelens.measures.dissection.pixels_above import Grid, Pixels
from rarelens.measures.dissection.quantiles import (
    between,
    counted_quantiles,
    neighbours,
    sorted_quantile,
)

Floats = NDArray[np.float64]

# The share above a first bound of upsampled values, in multiples of the share that is sought.
SPARE = 4


@dataclass(frozen=True)
class UnitBlock:
    """Units ``units`` of activations (N, K, *grid), read ``chunk`` values at a time."""

    activations: NDArray[Any]
    units: slice
    chunk: int

    @property
    def step(self) -> int:
        """How many images are read at once."""
        return max(1, self.chunk // max(1, self.activations[:1, self.units].size))

    @property
    def count(self) -> int:
        """How many units."""
        return int(self.units.stop - self.units.start)

    def chunks(self) -> Iterator[NDArray[Any]]:
        """(n, units, *grid) of some images after another; read once if all fit."""
        if self.step >= len(self.activations):
            yield self.whole
            return
        for start in range(0, len(self.activations), self.step):
            yield narrow(self.activations[start : start + self.step, self.units])

    @cached_property
    def whole(self) -> NDArray[Any]:
        """All images at once; copied if they lie on disk, where units are far apart."""
        own = self.activations[:, self.units]
        return narrow(own) if isinstance(own, np.memmap) else own

    def above(self, grid: Grid, thresholds: Floats, values: bool = False) -> Iterator[Pixels]:
        """Upsampled pixels above thresholds; items are image·units + unit, ascending."""
        start = 0
        for chunk in self.chunks():
            for found in grid.above(chunk, thresholds, values):
                yield found._replace(item=found.item + start * self.count)
            start += len(chunk)


def native_thresholds(block: UnitBlock, grid: Grid, share: float, exact_values: int) -> Floats:
    """The ``share``-quantile of each unit's activations over all images and positions.

    Raises:
        ValueError: if an activation is not a finite number.
    """
    if len(block.activations) * int(np.prod(grid.source)) > exact_values:
        return counted_quantiles(lambda: map(_finite, block.chunks()), block.count, share)
    if block.step >= len(block.activations):
        units = (block.whole[:, unit] for unit in range(block.count))
    else:
        own = range(block.units.start, block.units.stop)
        units = (block.activations[:, unit] for unit in own)
    return np.array([sorted_quantile(_finite(unit), share) for unit in units])


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    """The values, after a look at them."""
    found = narrow(values)
    if not all_finite(found):
        raise ValueError("an activation is not a finite number")
    return found


def upsampled_thresholds(block: UnitBlock, grid: Grid, share: float, exact_values: int) -> Floats:
    """The ``share``-quantile of each unit's activations after upsampling to the image.

    Exact without upsampling everything: all values above a bound are gathered, the bound being a
    lower quantile of the native activations, and lowered until there are enough. No upsampled
    value lies below the smallest native one.
    """
    count = len(block.activations) * grid.pixels
    rank, way = neighbours(count, share)
    found = np.full(block.count, np.nan)
    part = SPARE * (1 - share)
    while np.isnan(found).any():
        part = min(1.0, part)
        bounds = native_thresholds(block, grid, 1 - part, exact_values)
        gathered = _gather(block, grid, bounds)
        for unit in np.flatnonzero(np.isnan(found)):
            upper = gathered[unit]
            if len(upper) < count - rank and part < 1:
                continue
            places = np.array([rank, min(rank + 1, count - 1)]) - (count - len(upper))
            ordered = np.partition(upper, places[places >= 0]) if (places >= 0).any() else upper
            low, high = (ordered[at] if at >= 0 else bounds[unit] for at in places)
            found[unit] = between(low, high, way)
        part *= SPARE
    return found


def _gather(block: UnitBlock, grid: Grid, bounds: Floats) -> list[Floats]:
    """All upsampled values above each unit's bound."""
    parts: list[list[Floats]] = [[] for _ in bounds]
    for found in block.above(grid, bounds, values=True):
        unit = found.item % block.count
        order = np.argsort(unit, kind="stable")
        ends = np.searchsorted(unit[order], np.arange(1, block.count))
        values = np.empty(0) if found.value is None else found.value[order]
        for own, some in zip(parts, np.split(values, ends), strict=True):
            own.append(some)
    return [np.concatenate([np.empty(0), *own]) for own in parts]
