"""A prepared dataset of images, read from disk as memory maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.studies.data.prepared import Prepared, read_array

Rows = Sequence[int] | NDArray[np.integer[Any]]


class PreparedImages(Prepared):
    """The folder that `rarelens.studies.data.classification.preprocessing.prepare_images` writes.

    Attributes:
        channels: 1 (grey) or 3 (red, green, blue).
        size: (height, width) in pixels.
        mean: per channel, of the pool's values scaled to [0, 1].
        std: likewise.
        table: one row per image (``images.parquet``), indexed by image; ``row`` is its row in the
            arrays.
        concepts: row, class, area, source, digest; the index is the position in
            ``concepts.npy``.
        boxes: row, class, x, y, width, height, in prepared pixels.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "image", ("boxes.parquet", "concepts.parquet"))
        self.channels: int = self.description["channels"]
        height, width = self.description["size"]
        self.size: tuple[int, int] = (height, width)
        self.mean: tuple[float, ...] = tuple(self.description["mean"])
        self.std: tuple[float, ...] = tuple(self.description["std"])
        self.table["row"] = np.arange(len(self.table))
        self.concepts: pd.DataFrame = pd.read_parquet(folder / "concepts.parquet")
        self.boxes: pd.DataFrame = pd.read_parquet(folder / "boxes.parquet")
        self._labels = np.stack(self.table["labels"].tolist()).astype(np.float32)
        self._images: NDArray[Any] = read_array(folder / "images.npy")
        self._masks: NDArray[np.bool_] = read_array(folder / "concepts.npy")
        self.check_digests(
            {case: (self._images[row],) for row, case in enumerate(self.table.index)}
        )

    def labels(self, rows: Rows) -> NDArray[np.float32]:
        """Labels (n, C): 1, 0, or NaN where they are ignored."""
        return self._labels[np.asarray(rows, dtype=np.int64)]

    def images(self, rows: Rows) -> NDArray[np.float32]:
        """Images (n, channels, H, W), normalised by mean and std."""
        return normalise(self._images[np.asarray(rows, dtype=np.int64)], self.mean, self.std)

    def raw(self, row: int) -> NDArray[Any]:
        """Image (channels, H, W) as it is stored, uint8 or uint16."""
        stored: NDArray[Any] = self._images[row]
        return stored

    def masks(self, positions: Rows) -> NDArray[np.bool_]:
        """Masks (m, H, W) of concepts."""
        return np.asarray(self._masks[np.asarray(positions, dtype=np.int64)])

    def rows(self, split: str) -> NDArray[np.int64]:
        """Rows of a split, ascending."""
        return np.flatnonzero(self.table["split"].to_numpy() == split).astype(np.int64)


def normalise(
    stored: NDArray[Any], mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float32]:
    """Images (…, channels, H, W), uint8 or uint16, by mean and std of their channels in [0, 1]."""
    limit = np.float32(np.iinfo(stored.dtype).max)
    means, stds = (np.array(v, np.float32).reshape(-1, 1, 1) for v in (mean, std))
    normalised: NDArray[np.float32] = (stored.astype(np.float32) / limit - means) / stds
    return normalised
