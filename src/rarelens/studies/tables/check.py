"""Hold tables that were written against what is declared of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import pandas as pd
from pandera.errors import SchemaErrors

from rarelens.errors import RarelensError
from rarelens.studies.tables.columns import Table

K = TypeVar("K", str, Path)


def check_tables(folder: Path, declared: Mapping[str, Table]) -> None:
    """Check the tables of a folder that are there.

    Args:
        folder: as it was written.
        declared: tables by the names of their files.

    Raises:
        RarelensError: with a sentence for each table that is not as it was declared.
    """
    files = {folder / name: schema for name, schema in declared.items()}
    there = {file: schema for file, schema in files.items() if file.is_file()}
    check_rows({file: read_table(file, own) for file, own in there.items()}, there)


def check_rows(tables: Mapping[K, pd.DataFrame], declared: Mapping[K, Table]) -> None:
    """Check tables by what is declared of their names.

    Raises:
        RarelensError: with a sentence for each that is not as it was declared.
    """
    wrong = {name: problem_of(rows, declared[name]) for name, rows in tables.items()}
    problems = [
        f"{name}: {own}; mend what writes it, or what rarelens.studies.tables declares of it"
        for name, own in wrong.items()
        if own
    ]
    if problems:
        raise RarelensError(*problems)


def problem_of(rows: pd.DataFrame, schema: Table) -> str:
    """The first thing that is wrong with a table, or nothing."""
    try:
        schema.validate(rows, lazy=True)
    except SchemaErrors as errors:
        found = errors.failure_cases
        if rows.empty:  # Its columns may have any type.
            found = found[found["schema_context"] == "DataFrameSchema"]
        for case in found.to_dict("records"):
            column = case["failure_case"] if pd.isna(case["column"]) else case["column"]
            return f"column {column}: {case['check']} ({case['failure_case']})"
    return ""


def read_table(file: Path, schema: Table) -> pd.DataFrame:
    """A table as it was written; what its CSV does not tell of types is as declared."""
    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    texts = {name: str for name, own in schema.columns.items() if own.metadata["kind"] == "text"}
    return pd.read_csv(file, dtype=texts, keep_default_na=False, na_values=[""])
