"""What is declared of a column and of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandera.pandas as pa
from pandas.api import types

Column = Callable[..., pa.Column]
Table = pa.DataFrameSchema


def _counts(column: Any) -> bool:
    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def _decides(there: Any) -> bool:
    return there.empty or types.is_bool_dtype(there.infer_objects())


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda column: types.is_string_dtype(column) or bool(column.isna().all()),
    "whole number": lambda column: _counts(column) and bool((column.dropna() % 1 == 0).all()),
    "number": _counts,
    "true or false": lambda column: _decides(column.dropna()),
    "list": types.is_object_dtype,
}


def table(about: str, columns: Mapping[str, Column], key: Sequence[str] = ()) -> Table:
    """A table and its columns.

    Args:
        about: for the reference: what it holds.
        columns: in their order; a name that is none by itself is a pattern of names.
        key: columns whose values together stand in one row only.
    """
    made = {}
    for name, column in columns.items():
        plain = name.isidentifier()
        made[name] = column(name=name, regex=not plain, required=plain)
    return Table(made, description=about, strict=True, unique=list(key) or None)


def text(meaning: str, *among: str, missing: bool = False) -> Column:
    """A column of text: of these words, if there are some."""
    return _column("text", meaning, missing, [pa.Check.isin(among)] if among else [])


def whole(meaning: str, least: int | None = None) -> Column:
    """A column of whole numbers."""
    return _column("whole number", meaning, False, _bounds(least, None))


def number(
    meaning: str, least: float | None = None, most: float | None = None, missing: bool = False
) -> Column:
    """A column of numbers within bounds."""
    return _column("number", meaning, missing, _bounds(least, most))


def share(meaning: str, missing: bool = False) -> Column:
    """A column of numbers from 0 to 1."""
    return number(meaning, 0, 1, missing)


def flag(meaning: str, missing: bool = False) -> Column:
    """A column of true and false."""
    return _column("true or false", meaning, missing, [])


def listed(meaning: str) -> Column:
    """A column of lists."""
    return _column("list", meaning, False, [])


def _column(kind: str, meaning: str, missing: bool, checks: list[pa.Check]) -> Column:
    own = pa.Check(KINDS[kind], error=f"is no {kind}")
    return partial(
        pa.Column,
        checks=[own, *checks],
        nullable=missing,
        description=meaning,
        metadata={"kind": kind},
    )


def _bounds(least: float | None, most: float | None) -> list[pa.Check]:
    found = [] if least is None else [pa.Check.ge(least)]
    return found if most is None else [*found, pa.Check.le(most)]
