"""What measures share: arrays of NumPy or torch, labels, names of classes, quotients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Classes = Sequence[str] | int
"""Names of classes in the order of their labels, or how many there are: then their names are
0, 1, …"""


NUMPY_FLOATS = ("torch.float16", "torch.float32", "torch.float64")


def as_array(values: Any) -> NDArray[Any]:
    """Values of NumPy, or of torch on any device and of any type, as a NumPy array.

    Floats that NumPy lacks, as bfloat16, become float32; all else keeps its type.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if values.is_floating_point() and str(values.dtype) not in NUMPY_FLOATS:
            values = values.float()
        values = values.numpy()
    return np.asarray(values)


def as_labels(values: Any, classes: int) -> NDArray[np.integer[Any]]:
    """Labels as whole numbers.

    Raises:
        ValueError: if one is not a whole number from 0 to ``classes`` − 1.
    """
    labels = as_array(values)
    if labels.dtype.kind not in "iu":
        with np.errstate(invalid="ignore"):
            whole = labels.astype(np.int64)
        if not np.array_equal(whole, labels):
            raise ValueError("labels need to be whole numbers, the index of a class each")
        labels = whole
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"labels of {labels.min()} to {labels.max()} were found; {classes} classes have "
            f"labels of 0 to {classes - 1}"
        )
    return labels


def class_names(classes: Classes) -> list[Any]:
    """The names of at least two classes, each once.

    Raises:
        ValueError: otherwise.
    """
    names = list(range(classes)) if isinstance(classes, int) else list(classes)
    if len(names) < 2 or len(set(names)) < len(names) or isinstance(classes, str):
        raise ValueError(f"two classes or more are needed, each with its own name, not {classes!r}")
    return names


def ratio(above: ArrayLike, below: ArrayLike, otherwise: float = np.nan) -> NDArray[np.float64]:
    """Quotient in float64; ``otherwise`` where the divisor is not above 0."""
    above, below = np.broadcast_arrays(above, below)
    undefined = np.full(above.shape, otherwise, np.float64)
    return np.asarray(np.divide(above, below, out=undefined, where=below > 0))
