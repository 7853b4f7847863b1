"""Arrays that are written part by part, so that memory does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

HALF_MAX = float(np.finfo(np.float16).max)


class ArrayWriter:
    """Appends rows to a ``.npy`` file of a size that is known beforehand; use as a context.

    Rows are written through the file, not through a memory map, whose pages would count as
    memory of the process.

    Args:
        file: to write; folders above it are made.
        shape: of the whole array, rows first.
        dtype: of the values.

    Raises:
        ValueError: at the end, if there were more or fewer rows than ``shape`` says.
    """

    def __init__(self, file: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.rows = 0
        self._stream = file.open("wb")
        descr = npy.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self._stream, header)

    def append(self, rows: NDArray[Any]) -> None:
        """Add ``rows``, (n, *shape[1:])."""
        if rows.shape[1:] != self.shape[1:]:
            raise ValueError(f"rows of {rows.shape[1:]} in an array of {self.shape[1:]}")
        self._stream.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self.rows += len(rows)

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
        if kind is None and self.rows != self.shape[0]:
            raise ValueError(f"{self.rows} rows in an array of {self.shape[0]}")


def half(values: Tensor) -> tuple[NDArray[np.float16], int]:
    """Values as float16, clipped to its finite range of ±65504, and how many were clipped."""
    clipped = int((values.abs() > HALF_MAX).sum())
    halves: NDArray[np.float16] = values.clamp(-HALF_MAX, HALF_MAX).half().cpu().numpy()
    return halves, clipped


def batches(rows: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    """``rows`` in their order, ``size`` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
