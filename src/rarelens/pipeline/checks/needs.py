"""What the studies will need: cells, disk, memory and hours, judged by past trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rarelens.studies.cells import Cell
from rarelens.studies.files import read_json

GIB = 2**30


def needs(trainings: Sequence[tuple[Cell, dict[str, Any]]], prepared: float) -> list[str]:
    """Lines on cells, disk, memory and hours.

    Args:
        trainings: the cells to be trained, each with its parameters as its record keeps them.
        prepared: bytes of the prepared arrays.
    """
    past = [p for cell, values in trainings if (p := _past(cell, values)) is not None]
    left = len(trainings) - sum(p.current for p in past)
    lines = [
        f"cells: {len(trainings)}, of which {len(trainings) - left} are trained",
        f"disk: prepared data about {prepared / GIB:.2f} GiB",
    ]
    if not past:
        return [*lines, "memory, hours, disk per cell: known once a cell has been trained"]
    per_cell = fmean(p.disk for p in past)
    seconds = fmean(p.seconds for p in past)
    total = per_cell * len(trainings) / GIB
    return [
        *lines,
        f"disk: about {per_cell / 2**20:.1f} MiB a cell, {total:.2f} GiB in all",
        f"memory: {max(p.memory for p in past):.0f} MiB at the peak of past trainings",
        f"hours: about {seconds * left / 3600:.2f} of training for {left} cells to come "
        f"({seconds:.0f} s each so far)",
    ]


@dataclass(frozen=True)
class _Past:
    """What a trained cell took (bytes, seconds, MiB), and whether by today's parameters."""

    current: bool
    disk: int
    seconds: float
    memory: float


def _past(cell: Cell, parameters: dict[str, Any]) -> _Past | None:
    """What the record of the cell says; None without one."""
    record = cell.folder("records").with_suffix(".json")
    if not record.is_file():
        return None
    values = read_json(record)
    disk = sum(
        file.stat().st_size
        for stage in ("models", "extracts", "analyses")
        for file in cell.folder(stage).rglob("*")
        if file.is_file()
    )
    current = values["parameters"] == parameters
    return _Past(current, disk, values["seconds"], values["peak_memory_mib"])
