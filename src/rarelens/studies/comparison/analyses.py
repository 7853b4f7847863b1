"""The analyses that a comparison rests on: which files each cell must have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell

# What stands on its own: methods are compared within one dataset, network and fraction.
STUDY = ["dataset", "network", "fraction"]


def require_tables(cells: Sequence[Cell], analyses: Path, tables: Sequence[str]) -> None:
    """Refuse to compare analyses that are not there.

    Args:
        cells: the study's models.
        analyses: the folder above ``<task>/<cell>``.
        tables: of each analysis, beside ``analysis.json``.

    Raises:
        RarelensError: one sentence for each folder or file that is missing.
    """
    names = ["analysis.json", *(f"{table}.parquet" for table in tables)]
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
