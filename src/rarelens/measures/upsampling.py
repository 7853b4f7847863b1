"""Linear upsampling of unit and saliency maps, so that a plateau stays exactly flat.

The same positions as ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``,
but each value is a + w·(b − a) in float64: between equal neighbours nothing is rounded, so that a
map that nowhere exceeds a threshold does not exceed it after upsampling either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """Where the outputs of one axis lie between its inputs.

    Output t lies between inputs ``low[t]`` and ``high[t]``, ``weight[t]`` of the way.
    """

    low: Indices
    high: Indices
    weight: Floats

    @classmethod
    def between(cls, inputs: int, outputs: int) -> Axis:
        """The positions (t + 1/2)·inputs/outputs − 1/2, in whole numbers, so without rounding."""
        numerator = (2 * np.arange(outputs) + 1) * inputs - outputs
        floor, rest = np.divmod(numerator, 2 * outputs)
        low, high = (np.clip(index, 0, inputs - 1) for index in (floor, floor + 1))
        return cls(low, high, rest / (2 * outputs))


def resize(maps: NDArray[Any], size: Sequence[int]) -> Floats:
    """Bring maps to ``size`` by (bi-, tri-)linear interpolation.

    Args:
        maps: (..., *grid).
        size: as many numbers as the grid has axes; the last axes of ``maps`` are resized.

    Returns:
        Shape (..., *size), float64.

    Examples:
        >>> resize(np.array([[0.0, 1.0]]), (1, 4))
        array([[0.  , 0.25, 0.75, 1.  ]])
    """
    values = np.asarray(maps, dtype=np.float64)
    first = values.ndim - len(size)
    for place, outputs in enumerate(size, start=first):
        axis = Axis.between(values.shape[place], outputs)
        shape = [-1 if other == place else 1 for other in range(values.ndim)]
        low, high = (np.take(values, index, axis=place) for index in (axis.low, axis.high))
        values = low + axis.weight.reshape(shape) * (high - low)
    return values
