"""Where upsampled unit maps exceed a threshold, without upsampling what cannot.

Linear interpolation never exceeds the values it lies between. So only the cells of the native
grid with a corner above the threshold are upsampled: at a quantile of 0.5 %, a few per cent of
all pixels. The result is the same set of pixels as that of upsampling everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.dissection.float_bits import exceeds, narrow
from rarelens.measures.upsampling import Axis

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Native values that are looked at, and upsampled values that are held, at once: what a processor's
# caches hold.
BATCH_VALUES = 2**20
SLICE_VALUES = 2**18


class Pixels(NamedTuple):
    """Pixels above a threshold, sorted by ``item``.

    ``item`` is image·K + unit; ``pixel`` the place in the flattened image; ``value`` the
    upsampled activation, where it was asked for.
    """

    item: Integers
    pixel: Integers
    value: Floats | None


@dataclass(frozen=True)
class _CellAxis:
    """The outputs of one axis by cell; cell j lies between inputs j − 1 and j, held at the ends.

    ``weights`` are (most outputs of a cell, cells), NaN where a cell has fewer: a comparison with
    NaN is false, so these never count. ``outer``: the first and the last weight of each.
    """

    low: Integers
    high: Integers
    first: Integers
    weights: Floats
    outer: Floats

    @classmethod
    def between(cls, inputs: int, outputs: int) -> _CellAxis:
        axis = Axis.between(inputs, outputs)
        positions = ((2 * np.arange(outputs) + 1) * inputs - outputs) // (2 * outputs)
        cells = np.arange(inputs + 1)
        first, end = (np.searchsorted(positions + 1, cells, side) for side in ("left", "right"))
        weights = np.full((int((end - first).max()), len(cells)), np.nan)
        for cell, (start, stop) in enumerate(zip(first, end, strict=True)):
            weights[: stop - start, cell] = axis.weight[start:stop]
        low, high = (np.clip(cells - step, 0, inputs - 1) for step in (1, 0))
        outer = np.stack([np.fmin.reduce(weights), np.fmax.reduce(weights)])
        return cls(low, high, first, weights, outer)


@dataclass(frozen=True)
class Grid:
    """How maps on a native grid ``source`` are brought to the image's ``size``."""

    source: tuple[int, ...]
    size: tuple[int, ...]

    @cached_property
    def _axes(self) -> list[_CellAxis]:
        return [_CellAxis.between(*pair) for pair in zip(self.source, self.size, strict=True)]

    @cached_property
    def pixels(self) -> int:
        """Pixels of the image."""
        return int(np.prod(self.size))

    def above(
        self, maps: NDArray[Any], thresholds: Floats, values: bool = False
    ) -> Iterator[Pixels]:
        """The pixels of upsampled ``maps`` that are strictly above their unit's threshold.

        Args:
            maps: (n, K, *source), float16 or float32; all else is taken as float32.
            thresholds: (K,).
            values: give the upsampled activations, too.

        Yields:
            The pixels in slices of bounded size, items in ascending order.
        """
        step = max(1, BATCH_VALUES // max(1, maps[:1].size))
        for start in range(0, len(maps), step):
            for found in self._batch(narrow(maps[start : start + step]), thresholds, values):
                yield found._replace(item=found.item + start * len(thresholds))

    def _batch(self, maps: NDArray[Any], thresholds: Floats, values: bool) -> Iterator[Pixels]:
        cells, native = self._cells(maps, thresholds), maps.reshape(-1)
        step = max(1, SLICE_VALUES // self._outputs_of_a_cell)
        for start in range(0, len(cells), step):
            places, item = self._places(cells[start : start + step])
            corners = self._corners(native, places, item)
            limit = thresholds[item % len(thresholds)]
            kept = np.flatnonzero(_bound(corners, self._weights("outer", places)) > limit)
            places, item = [place[kept] for place in places], item[kept]
            upsampled = _interpolate(corners[:, kept], self._weights("weights", places))
            above = np.ascontiguousarray((upsampled > limit[kept]).T)
            cell, output = np.divmod(np.flatnonzero(above), self._outputs_of_a_cell)
            pixel = self._first_pixel(places).take(cell) + self._offsets.take(output)
            yield Pixels(item.take(cell), pixel, upsampled[output, cell] if values else None)

    @property
    def _outputs_of_a_cell(self) -> int:
        return int(np.prod([len(axis.weights) for axis in self._axes]))

    def _cells(self, maps: NDArray[Any], thresholds: Floats) -> Integers:
        """The cells with a corner above the threshold, flat in (n, K, *(source + 1))."""
        limits = thresholds.reshape(-1, *[1] * len(self.source))
        place = np.flatnonzero(exceeds(maps, limits))
        cell, stride = np.zeros_like(place), 1
        neighbours = np.zeros(1, np.int64)
        for side in reversed(self.source):
            place, coordinate = np.divmod(place, side)
            cell += coordinate * stride
            neighbours = np.concatenate([neighbours, neighbours + stride])
            stride *= side + 1
        cell += place * stride
        touched = np.zeros(maps.shape[0] * maps.shape[1] * stride, np.bool_)
        for step in neighbours:
            touched[cell + step] = True
        return np.flatnonzero(touched)

    def _places(self, cells: Integers) -> tuple[list[Integers], Integers]:
        """The coordinates of cells along each axis, and their item."""
        places = []
        for side in reversed(self.source):
            cells, place = np.divmod(cells, side + 1)
            places.append(place)
        return places[::-1], cells

    def _corners(self, values: NDArray[Any], places: list[Integers], item: Integers) -> Floats:
        """The native values at the corners of cells, (2^axes, cells), last axis fastest."""
        indices = [item]
        for axis, place, length in zip(self._axes, places, self.source, strict=True):
            ends = axis.low.take(place), axis.high.take(place)
            rows = [index * length for index in indices]
            indices = [row + end for row in rows for end in ends]
        # By way of float32, to which numpy converts float16 fast.
        return np.stack([values.take(index).astype(np.float32) for index in indices]).astype(
            np.float64
        )

    def _weights(self, kind: str, places: list[Integers]) -> list[Floats]:
        """For each axis, (outputs, cells)."""
        return [
            getattr(axis, kind).take(place, axis=1)
            for axis, place in zip(self._axes, places, strict=True)
        ]

    def _first_pixel(self, places: list[Integers]) -> Integers:
        pixel = np.zeros_like(places[0])
        for axis, place, length in zip(self._axes, places, self.size, strict=True):
            pixel = pixel * length + axis.first.take(place)
        return pixel

    @cached_property
    def _offsets(self) -> Integers:
        """How far each output of a cell lies from the cell's first."""
        counts = [len(axis.weights) for axis in self._axes]
        steps = np.indices(counts).reshape(len(counts), -1)
        strides = np.cumprod([1, *self.size[:0:-1]])[::-1]
        return np.asarray(strides @ steps, np.int64)


def _interpolate(corners: Floats, weights: list[Floats]) -> Floats:
    """Outputs (outputs, cells) between the corners of cells, by one axis after the other."""
    cells = corners.shape[1]
    block = corners.reshape(len(corners), 1, cells)
    for weight in reversed(weights):
        pairs = block.reshape(len(block) // 2, 2, 1, block.shape[1], cells)
        low, high = pairs[:, 0], pairs[:, 1]
        outputs: Floats = high - low
        outputs = weight[:, None] * outputs
        outputs += low
        block = outputs.reshape(len(outputs), len(weight) * block.shape[1], cells)
    found: Floats = block[0]
    return found


def _bound(corners: Floats, outer: list[Floats]) -> Floats:
    """A value (cells,) that no output exceeds: the better end of each axis after the other."""
    cells = corners.shape[1]
    block = corners
    for first, last in reversed(outer):
        pairs = block.reshape(len(block) // 2, 2, cells)
        low = pairs[:, 0]
        rise = pairs[:, 1] - low
        block = low + np.fmax(first * rise, last * rise)
    found: Floats = block[0]
    return found


def pixels_above(maps: NDArray[Any], thresholds: Floats, size: Sequence[int]) -> Pixels:
    """M_k(x) = up(a_k(x)) > T_k, as a list of pixels.

    Args:
        maps: (n, K, *grid), the activations of n images.
        thresholds: T, (K,).
        size: of the image, to which ``maps`` are upsampled linearly.

    Examples:
        >>> maps = np.array([[[[0.0, 0.0, 4.0]]]])
        >>> pixels_above(maps, np.array([1.0]), (1, 6)).pixel
        array([4, 5])
    """
    grid = Grid(tuple(maps.shape[2:]), tuple(size))
    found = [*grid.above(maps, np.asarray(thresholds, np.float64))]
    nothing = np.empty(0, np.int64)
    item, pixel = (
        np.concatenate([nothing, *parts])
        for parts in ([one.item for one in found], [one.pixel for one in found])
    )
    return Pixels(item, pixel, None)
