"""Find the blocks of a study: the cells of one dataset, network and fraction, and their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.comparison import COMPARISON

Arrays = dict[str, NDArray[Any]]


def grouped(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells of each dataset, network and fraction, in the study's order."""
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.dataset, cell.network, cell.fraction), []).append(cell)
    return list(groups.values())


def require_analyses(cells: Sequence[Cell], analyses: Path, names: Sequence[str]) -> None:
    """Refuse to report on analyses that are not there.

    Raises:
        RarelensError: one sentence for each file that is missing.
    """
    missing = [
        f"{file}: no such file; run the stages before the report (dvc repro)"
        for cell in cells
        for file in (cell.folder(str(analyses)) / name for name in names)
        if not file.is_file()
    ]
    if missing:
        raise RarelensError(*missing)


def own_rows(cell: Cell, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a comparison that belong to the cell's dataset, network and fraction."""
    matching = pd.Series(True, index=table.index)
    for column in COMPARISON:
        matching &= table[column] == getattr(cell, column)
    own: pd.DataFrame = table[matching]
    return own


def own_metrics(cells: Sequence[Cell], metrics: pd.DataFrame) -> pd.DataFrame:
    """The rows of a comparison that belong to the cells of one block.

    Raises:
        RarelensError: if the comparison does not cover all of their methods.
    """
    first = cells[0]
    own = own_rows(first, metrics)
    advice = "is not in the comparison; run stage compare again (dvc repro)"
    if own.empty:
        keys = (first.dataset, first.network, first.fraction)
        raise RarelensError(f"metrics: {', '.join(keys)} {advice}")
    absent = [method for method in methods_of(cells) if method not in set(own["method"])]
    if absent:
        raise RarelensError(f"metrics: {', '.join(absent)} of {first.dataset} {advice}")
    return own


def methods_of(cells: Sequence[Cell], baseline: str = "") -> tuple[str, ...]:
    """The methods in the study's order, the baseline first."""
    names = dict.fromkeys(cell.method for cell in cells)
    return tuple(sorted(names, key=lambda method: method != baseline))


def gather(cells: Sequence[Cell], read: Callable[[Cell], pd.DataFrame]) -> pd.DataFrame:
    """What ``read`` gives for each cell, with its method and seed beside."""
    frames = [read(cell).assign(method=cell.method, seed=cell.seed) for cell in cells]
    return pd.concat(frames, ignore_index=True)


def read_panels(folders: dict[str, Path]) -> tuple[dict[str, Arrays], ...]:
    """The panels that the analyses of all methods have, in order; ``folders`` are by method."""
    own = {method: numbered_arrays(folder / "panels") for method, folder in folders.items()}
    return tuple(dict(zip(own, panels, strict=True)) for panels in zip(*own.values(), strict=False))


def numbered_arrays(folder: Path) -> list[Arrays]:
    """The arrays of each ``<number>.npz`` in a folder, in the order of their numbers."""
    files = sorted(folder.glob("*.npz"), key=lambda file: int(file.stem))
    return [_arrays(file) for file in files]


def _arrays(file: Path) -> Arrays:
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
