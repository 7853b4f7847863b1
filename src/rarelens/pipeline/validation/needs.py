"""What the studies will need: cells, disk, memory and hours, judged by past trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rarelens.studies.cells import Cell, cells_of
from rarelens.studies.data.splits import share_of_pool
from rarelens.studies.files import read_json
from rarelens.studies.settings.study import Study

GIB = 2**30


@dataclass
class Look:
    """What a look at one study finds.

    Attributes:
        problems: sentences; without any the study can run.
        notes: sentences that are no problems.
        prepared: bytes of the prepared arrays.
        trainings: the cells to be trained, each with its parameters as its record keeps them.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    prepared: float = 0.0
    trainings: list[tuple[Cell, dict[str, Any]]] = field(default_factory=list)


def trainings_of(
    task: str, study: Study, parameters_of: Callable[[Cell], dict[str, Any] | None]
) -> list[tuple[Cell, dict[str, Any]]]:
    """The cells of a study to be trained, with their parameters; adjusted ones train no network.

    Args:
        task: the study's.
        study: its lists.
        parameters_of: as a record would keep them; None where a name of the cell stands nowhere,
            which `check_study` tells.
    """
    cells = [cell for cell in cells_of(task, study) if cell == cell.base]
    found = [(cell, parameters_of(cell)) for cell in cells]
    return [(cell, parameters) for cell, parameters in found if parameters is not None]


def fractions_too_small(
    task: str, study: Study, dataset: str, pool: int, kind: str
) -> Iterator[str]:
    """Sentences on the fractions of a study that leave nothing of a dataset's pool to train on.

    Args:
        task: the study's.
        study: its lists.
        dataset: its name.
        pool: how many it has in the pool.
        kind: what they are, in the singular.
    """
    for fraction in study.fractions:
        if share_of_pool(fraction, pool) < 1:
            yield (
                f"params.yaml: study.{task}.fractions: {fraction} of {dataset}'s pool of {pool} "
                f"{kind}s leaves no training {kind}; raise it or enlarge the pool"
            )


def needs(looks: Sequence[Look]) -> list[str]:
    """Lines on cells, disk, memory and hours, summed over studies."""
    trainings = [training for look in looks for training in look.trainings]
    past = [p for cell, values in trainings if (p := _Past.of(cell, values)) is not None]
    left = len(trainings) - sum(p.current for p in past)
    lines = [
        f"cells: {len(trainings)}, of which {len(trainings) - left} are trained",
        f"disk: prepared data about {sum(look.prepared for look in looks) / GIB:.2f} GiB",
    ]
    if not past:
        return [*lines, "memory, hours, disk per cell: known once a cell has been trained"]
    per_cell = _mean(p.disk for p in past)
    seconds = _mean(p.seconds for p in past)
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

    @classmethod
    def of(cls, cell: Cell, parameters: dict[str, Any]) -> _Past | None:
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
        return cls(current, disk, values["seconds"], values["peak_memory_mib"])


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
