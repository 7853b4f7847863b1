"""Write the columns of all tables into ``results.md``, from what is declared of them.

Run from the project's root: ``python docs/reference/tables.py``; a test refuses a page that is not
what this writes. The prose around the columns stays; a comment says whose they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from rarelens.studies.tables.columns import Table

PAGE = Path(__file__).with_name("results.md")
BLOCK = re.compile(r"(<!-- columns: (\w+)\.(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def page() -> str:
    """The whole page, with its columns as they are declared now."""
    text = PAGE.read_text("utf-8")
    return BLOCK.sub(lambda own: f"{own[1]}{_block(own[2], own[3])}\n{own[4]}", text)


def _block(module: str, name: str) -> str:
    declared = getattr(import_module(f"rarelens.studies.tables.{module}"), name)
    return "\n".join(line for file, table in declared.items() for line in _table(file, table))


def _table(file: str, table: Table) -> Iterator[str]:
    key = ", ".join(f"`{own}`" for own in table.unique or ())
    yield f"\n**`{file}`**: {table.description}.{f' No two rows share {key}.' * bool(key)}\n"
    yield "| column | type | meaning |\n|---|---|---|"
    for name, column in table.columns.items():
        yield f"| `{_plain(name)}` | {_kind(column)} | {column.description} |"


def _plain(name: str) -> str:
    """A name, or what a pattern of names says to a reader."""
    name = re.sub(r"\((\w+)\|(\w+)\)", r"<\1 or \2>", name)
    return name.replace(r"\d+", "<class>").replace(r"\w+", "<method>")


def _kind(column: Any) -> str:
    """The type of a column, with its words or bounds."""
    told = {key: own for check in column.checks for key, own in (check.statistics or {}).items()}
    words = ", ".join(f"`{own}`" for own in told.get("allowed_values", ()))
    said = words or column.metadata["kind"]
    if "max_value" in told:
        said += f" from {told['min_value']} to {told['max_value']}"
    elif "min_value" in told:
        said += f" ≥ {told['min_value']}"
    return f"{said}, or missing" if column.nullable else said


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
