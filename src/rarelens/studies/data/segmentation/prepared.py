"""A prepared dataset, read from disk as memory maps."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.files import read_json


class PreparedDataset:
    """The folder that `rarelens.studies.data.segmentation.preprocessing.prepare_dataset` writes.

    Attributes:
        name: of the dataset.
        channels: names.
        classes: names; the index is the label value.
        spacing: mm, or None where each case keeps its own.
        table: one row per case (``cases.parquet``), indexed by case.

    Raises:
        RarelensError: if the folder holds no prepared dataset.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "dataset.json").is_file():
            raise RarelensError(f"{folder}: no prepared dataset; run `dvc repro` first")
        description = read_json(folder / "dataset.json")
        self.name: str = description["name"]
        self.channels: tuple[str, ...] = tuple(description["channels"])
        self.classes: tuple[str, ...] = tuple(description["classes"])
        spacing = description["spacing"]
        self.spacing: tuple[float, ...] | None = spacing and tuple(spacing)
        self.table: pd.DataFrame = pd.read_parquet(folder / "cases.parquet").set_index("case")

    def image(self, case: str) -> NDArray[Any]:
        """Normalised image (C, X, Y, Z), float16 or float32."""
        return self._map("images", case)

    def label(self, case: str) -> NDArray[Any]:
        """Labels (X, Y, Z), uint8 or uint16."""
        return self._map("labels", case)

    def foreground(self, case: str) -> NDArray[Any]:
        """Flat voxel indices (C order) of classes 1, 2, … one after the other."""
        return self._map("foreground", case)

    def subjects(self, split: str) -> list[str]:
        """Cases of a split, sorted."""
        return sorted(self.table.index[self.table["split"] == split])

    def digest(self) -> str:
        """Digest of the description and the table of cases, which holds one of each case."""
        files = (self.folder / "dataset.json", self.folder / "cases.parquet")
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]

    def _map(self, kind: str, case: str) -> NDArray[Any]:
        array: NDArray[Any] = np.load(self.folder / kind / f"{case}.npy", mmap_mode="r")
        return array
