"""What prepared volumes and prepared images share: a folder with a description and a table."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.errors import RarelensError
from rarelens.studies.files import read_json

DESCRIPTION = "dataset.json"


class Prepared:
    """A folder that stage ``preprocess`` writes.

    Args:
        folder: the folder.
        key: what its table has a row of; ``<key>s.parquet`` is the table.
        further: files, besides the description and the table, that `digest` is taken of.

    Attributes:
        folder: the folder.
        description: ``dataset.json``.
        name: of the dataset.
        classes: names, by index.
        table: one row per case (or image), indexed by its id: group, split and more.

    Raises:
        RarelensError: if the folder holds no prepared dataset.
    """

    def __init__(self, folder: Path, key: str, further: tuple[str, ...] = ()) -> None:
        self.folder = folder
        if not (folder / DESCRIPTION).is_file():
            raise RarelensError(f"{folder}: no prepared dataset; run `dvc repro` first")
        self.description: dict[str, Any] = read_json(folder / DESCRIPTION)
        self.name: str = self.description["name"]
        self.classes: tuple[str, ...] = tuple(self.description["classes"])
        self._files = (DESCRIPTION, f"{key}s.parquet", *further)
        self.table: pd.DataFrame = pd.read_parquet(folder / f"{key}s.parquet").set_index(key)

    @cached_property
    def groups(self) -> dict[str, str]:
        """The group of each case: its patient, or the case itself where none is named."""
        return dict(zip(self.table.index, self.table["group"], strict=True))

    def cases(self, split: str) -> list[str]:
        """Cases (or images) of a split, sorted."""
        return sorted(self.table.index[self.table["split"] == split])

    def digest(self) -> str:
        """Digest of the description and the tables, which hold one of each array."""
        content = b"".join((self.folder / file).read_bytes() for file in self._files)
        return hashlib.sha256(content).hexdigest()[:16]
