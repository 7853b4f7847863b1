"""A comparison: all cells of one dataset, network and fraction; their analyses belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell

COMPARISON = ["dataset", "network", "fraction"]


@dataclass(frozen=True)
class Comparison:
    """At least one cell; methods are compared within one dataset, network and fraction."""

    cells: tuple[Cell, ...]

    @property
    def names(self) -> dict[str, str]:
        """Its dataset, network and fraction, by these names."""
        return {name: getattr(self.cells[0], name) for name in COMPARISON}

    @property
    def methods(self) -> list[str]:
        """In the order of the cells."""
        return list(dict.fromkeys(cell.method for cell in self.cells))

    @property
    def seeds(self) -> list[int]:
        """Those of all methods, in ascending order."""
        return sorted({cell.seed for cell in self.cells})

    def rows_of(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of a table (dataset, network, fraction, …) that belong to it."""
        own = pd.Series(True, index=table.index)
        for name, value in self.names.items():
            own &= table[name] == value
        found: pd.DataFrame = table[own]
        return found


def comparisons(cells: Sequence[Cell]) -> list[Comparison]:
    """The comparisons of a study, in the order in which the cells name them."""
    found: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.dataset, cell.network, cell.fraction), []).append(cell)
    return [Comparison(tuple(own)) for own in found.values()]


def require_baseline(cells: Sequence[Cell], baseline: str) -> None:
    """Refuse a baseline that no cell has; a study that is switched off has no cells.

    Raises:
        RarelensError: if it is not among the methods.
    """
    if cells and baseline not in {cell.method for cell in cells}:
        raise RarelensError(
            f"baseline {baseline!r} is not among the study's methods; add it to study.*.methods"
        )


def require_analyses(cells: Sequence[Cell], analyses: Path, names: Sequence[str]) -> None:
    """Refuse analyses that are not there.

    Args:
        cells: the study's models.
        analyses: the folder above ``<task>/<cell>``.
        names: of the files that each analysis must have.

    Raises:
        RarelensError: one sentence for each folder or file that is missing.
    """
    problems = [problem for cell in cells for problem in _missing(cell, analyses, names)]
    if problems:
        raise RarelensError(*problems)


def _missing(cell: Cell, analyses: Path, names: Sequence[str]) -> Iterator[str]:
    folder = cell.folder(str(analyses))
    advice = f"analyse cell {cell.name} first (dvc repro)"
    if not folder.is_dir():
        yield f"{folder}: the folder is missing; {advice}"
        return
    for name in names:
        if not (folder / name).is_file():
            yield f"{folder}: {name} is missing; {advice}"
