"""What `simulate` may replace: its own datasets, in any layout, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError
from rarelens.files import read_json, refuse_link

GENERATOR = "rarelens simulate"


def refuse_foreign(target: Path) -> None:
    """Refuse a link, a file, or a folder that holds anything but a simulated dataset of ours.

    Raises:
        RarelensError: if something else stands at ``target``.
    """
    refuse_link(target)
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    descriptions = (
        _read(target / "dataset.json"),
        _read(target / "annotations.json").get("info"),
    )
    if any(isinstance(d, dict) and d.get("generator") == GENERATOR for d in descriptions):
        return
    raise RarelensError(
        f"{target}: something other than a simulated dataset stands where one would be "
        "written; move it away, or name another dataset"
    )


def _read(source: Path) -> dict[str, Any]:
    try:
        value = read_json(source)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
