"""Tables as CSV that a spreadsheet may open: no text of the user's data is a formula there.

A text cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line's end gets a ``'`` before
it, as OWASP advises (CSV injection); numbers stay as they are. Reading takes it away again.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

RESULTS: dict[str, Any] = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
"""Options of a table of results: its bytes depend on its content alone."""
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_QUOTED = re.compile(r"''*[=+\-@\t\r\n]")


def to_csv(table: pd.DataFrame, **options: Any) -> str:
    """A table as CSV, its texts and headings quoted where a spreadsheet would compute them.

    Args:
        table: numbers, and text.
        options: as of `pandas.DataFrame.to_csv`.
    """
    quoted = table.copy(deep=False)
    for place, (_, column) in enumerate(table.items()):
        if not is_numeric_dtype(column):
            quoted.isetitem(place, column.map(_quote).array)
    quoted.columns = quoted.columns.map(_quote)
    if options.get("index", True):
        quoted.index = quoted.index.map(_quote)
    return str(quoted.to_csv(**options))


def unquoted(column: pd.Series) -> pd.Series:
    """A column of texts as `to_csv` was given it."""
    return column.map(lambda value: value[1:] if _is_text(value, _QUOTED) else value)


def _quote(value: Any) -> Any:
    return f"'{value}" if _is_text(value, _FORMULA) else value


def _is_text(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and bool(pattern.match(value))
