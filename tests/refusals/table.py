"""The table of bad inputs for the docs: ``python tests/refusals/table.py``."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from refusals.tried import load

PAGE = Path(__file__).parents[2] / "docs/reference/bad-inputs.md"
NAMES = {"values": "Values in params.yaml"}


def table() -> str:
    """Of each area, what was given, and words of what it gets."""
    lines: list[str] = []
    found = sorted(load(), key=lambda each: each.area.lower())
    for area, own in groupby(found, key=lambda each: each.area):
        lines += [
            f"## {NAMES.get(area, area)}",
            "",
            "| Given | The sentence says |",
            "| --- | --- |",
        ]
        lines += [f"| {_cell(each.given)} | {_cell(each.says)} |" for each in own]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def write() -> None:
    """Put it into the page, below its first heading and text."""
    before = PAGE.read_text(encoding="utf-8").partition("\n## ")[0].rstrip("\n")
    PAGE.write_text(f"{before}\n\n{table()}", encoding="utf-8")


if __name__ == "__main__":
    write()
