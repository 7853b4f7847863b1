"""A prepared dataset of volumes, read from disk as memory maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rarelens.studies.data.prepared import Prepared, read_array


class PreparedDataset(Prepared):
    """The folder that `rarelens.studies.data.segmentation.preprocessing.prepare_dataset` writes.

    Attributes:
        channels: names.
        classes: names; the index is the label value.
        spacing: mm, or None where each case keeps its own.
        table: one row per case (``cases.parquet``), indexed by case.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "case")
        self.channels: tuple[str, ...] = tuple(self.description["channels"])
        spacing = self.description["spacing"]
        self.spacing: tuple[float, ...] | None = spacing and tuple(spacing)
        self._is_checked = False

    def image(self, case: str) -> NDArray[Any]:
        """Normalised image (C, X, Y, Z), float16 or float32."""
        self._checked()
        return self._map("images", case)

    def label(self, case: str) -> NDArray[Any]:
        """Labels (X, Y, Z), uint8 or uint16."""
        return self._map("labels", case)

    def foreground(self, case: str) -> NDArray[Any]:
        """Flat voxel indices (C order) of classes 1, 2, … one after the other."""
        return self._map("foreground", case)

    def _checked(self) -> None:
        """Hold all images and labels against their digests, the first time."""
        if self._is_checked:
            return
        self._is_checked = True
        kinds = ("images", "labels")
        cases = self.table.index
        self.check_digests({case: [self._map(kind, case) for kind in kinds] for case in cases})

    def _map(self, kind: str, case: str) -> NDArray[Any]:
        return read_array(self.folder / kind / f"{case}.npy")
