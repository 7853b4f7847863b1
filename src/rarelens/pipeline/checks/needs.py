"""What the studies will need: cells, disk, memory and hours, judged by past trainings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rarelens.studies.cells import Cell
from rarelens.studies.files import read_json

GIB = 2**30


def needs(trainings: Sequence[tuple[Cell, dict[str, Any]]], prepared: float) -> list[str]:
    """Lines on cells, disk, memory and hours.

    A cell to come is judged by the past trainings that are most like it: of its task, and as far
    as there are any of its dataset, its network and its method; their seconds a step hold for it.

    Args:
        trainings: the cells to be trained, each with its parameters as its record keeps them.
        prepared: bytes of the prepared arrays.
    """
    past = {cell: p for cell, values in trainings if (p := _past(cell, values)) is not None}
    to_come = [(cell, own) for cell, own in trainings if not (cell in past and past[cell].current)]
    lines = [
        f"cells: {len(trainings)}, of which {len(trainings) - len(to_come)} are trained",
        f"disk: prepared data about {prepared / GIB:.2f} GiB",
    ]
    if not past:
        return [*lines, "memory, hours, disk per cell: known once a cell has been trained"]
    disks = [fmean(p.disk for p in like) for cell, _ in trainings if (like := _like(cell, past))]
    seconds: dict[str, list[float]] = defaultdict(list)
    for cell, own in to_come:
        if like := _like(cell, past):
            seconds[cell.dataset].append(fmean(p.pace for p in like) * _steps(own))
    each = ", ".join(f"{name} {fmean(own):.0f} s a cell" for name, own in seconds.items())
    known = [value for own in seconds.values() for value in own]
    lines += [
        f"disk: about {fmean(disks) / 2**20:.1f} MiB a cell, {sum(disks) / GIB:.2f} GiB in all",
        f"memory: {max(p.memory for p in past.values()):.0f} MiB at the peak of past trainings",
        f"hours: about {sum(known) / 3600:.2f} of training for {len(known)} cells to come"
        + (f" ({each})" if each else ""),
    ]
    unknown = [cell.task for cell, _ in to_come if not _like(cell, past)]
    return [*lines, *(_without_past(task, unknown.count(task)) for task in dict.fromkeys(unknown))]


@dataclass(frozen=True)
class _Past:
    """What a trained cell took (bytes, seconds a step, MiB), and whether by today's parameters."""

    current: bool
    disk: int
    pace: float
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
    then = values["parameters"]
    pace = values["seconds"] / _steps(then)
    return _Past(then == parameters, disk, pace, values["peak_memory_mib"])


def _steps(parameters: dict[str, Any]) -> int:
    steps: int = parameters["settings"]["steps"]
    return steps


def _like(cell: Cell, past: dict[Cell, _Past]) -> list[_Past]:
    """The past trainings of a cell's task that share most with it, first of all its dataset."""
    scores = {own: _in_common(cell, own) for own in past if own.task == cell.task}
    best = max(scores.values(), default=None)
    return [past[own] for own, score in scores.items() if score == best]


def _in_common(cell: Cell, other: Cell) -> tuple[bool, ...]:
    keys = ("dataset", "network", "method")
    return tuple(getattr(cell, key) == getattr(other, key) for key in keys)


def _without_past(task: str, cells: int) -> str:
    return f"hours of {cells} cells of {task}: known once one of them has been trained"
