"""Which of a stage's inputs is damaged: looked for once the stage has failed, and told.

Here and not where each file is read, for readers are many, and none of them is to be an input's
guard; and what lies between stages is DVC's, which notices all else that changes there.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError, refuse

FOLDERS = ("models", "extracts", "analyses")


@contextmanager
def damage_told(arguments: Mapping[str, Any]) -> Iterator[None]:
    """Where the block fails and one of its stage's inputs is damaged, say that instead.

    Args:
        arguments: of the stage, by name.

    Raises:
        RarelensError: for each such input.
    """
    try:
        yield
    except RarelensError:
        raise
    except Exception as error:
        try:
            refuse(
                f"{file}: damaged or cut short; remove it and run `dvc checkout`; if it is damaged "
                "again, `rarelens validate` names what is so in DVC's cache"
                for file in _inputs(arguments)
                if _is_damaged(file)
            )
        except RarelensError as told:
            raise told from error
        raise


def _inputs(arguments: Mapping[str, Any]) -> list[Path]:
    """Files below the folders that a stage of these arguments can read."""
    dataset = arguments.get("dataset")
    if dataset is None:
        folders = [Path(name) for name in ("data/prepared", "cells", "metrics", *FOLDERS, "browse")]
    else:
        cell = "/".join(
            arguments.get(name, "*")
            for name in ("dataset", "network", "method", "fraction", "seed")
        )
        folders = [Path("data/prepared") / dataset]
        folders += [each for name in FOLDERS for each in Path(name).glob(f"*/{cell}")]
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in files if file.suffix in READERS)


def _is_damaged(file: Path) -> bool:
    # Imported here, as the libraries below: a stage that goes well needs none of it.
    from rarelens.studies.data.prepared import DAMAGED

    try:
        READERS[file.suffix](file)
    except DAMAGED:
        return True
    return False


def _read_parquet(file: Path) -> None:
    import pyarrow.parquet

    pyarrow.parquet.read_table(file)


def _read_npy(file: Path) -> None:
    import numpy as np

    np.load(file, mmap_mode="r", allow_pickle=False)


def _read_npz(file: Path) -> None:
    import numpy as np

    with np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            arrays[name]


def _read_csv(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if not text or "\0" in text:
        raise ValueError("no table")


def _read_gzip(file: Path) -> None:
    with gzip.open(file) as stream:
        if not stream.read(1):
            raise ValueError("nothing in it")
        while stream.read(2**24):
            pass


READERS: dict[str, Callable[[Path], object]] = {
    ".parquet": _read_parquet,
    ".json": lambda file: json.loads(file.read_text(encoding="utf-8")),
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".gz": _read_gzip,
}
