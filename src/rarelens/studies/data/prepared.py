"""What prepared volumes and prepared images share: a folder with a description and a table."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.errors import RarelensError, refuse
from rarelens.studies.files import read_json

DESCRIPTION = "dataset.json"
REMEDY = (
    "remove the folder and run `dvc checkout` (`rarelens validate` names a corrupted cache), or "
    "`dvc repro -f` of stage preprocess"
)

# What NumPy raises of a file that is none of its own, or whose header is garbled.
DAMAGED = (
    OSError, ValueError, EOFError, SyntaxError, TypeError, MemoryError, OverflowError,
    RecursionError, TokenError, zipfile.BadZipFile,
)  # fmt: skip


def digest_of(arrays: Iterable[NDArray[Any]]) -> str:
    """Digest of arrays, one after the other."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()[:16]


def read_array(file: Path) -> NDArray[Any]:
    """An array on disk, mapped into memory.

    Raises:
        RarelensError: if it is missing, damaged or cut short.
    """
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("no single array")  # noqa: TRY004
    except DAMAGED as error:
        raise RarelensError(f"{file}: missing, damaged or cut short; {REMEDY}") from error
    return array


CHECKED = 2**28
"""Bytes of arrays that are held against their digests whenever a dataset is opened."""


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

    def check_digests(self, arrays: Mapping[str, Sequence[NDArray[Any]]]) -> None:
        """Hold each case's arrays against the digest in its row, where all are small enough.

        Args:
            arrays: of each case, in the order that its digest was taken of them.

        Raises:
            RarelensError: for each case whose arrays are others.
        """
        size = sum(array.nbytes for own in arrays.values() for array in own)
        # Tables of before there were digests have none.
        if size > CHECKED or "digest" not in self.table:
            return
        refuse(
            f"{self.folder}: {case}: its arrays are not those that were prepared; {REMEDY}"
            for case, own in arrays.items()
            if digest_of(own) != self.table["digest"][case]
        )

    def digest(self) -> str:
        """Digest of the description and the tables, which hold one of each array."""
        content = b"".join((self.folder / file).read_bytes() for file in self._files)
        return hashlib.sha256(content).hexdigest()[:16]
