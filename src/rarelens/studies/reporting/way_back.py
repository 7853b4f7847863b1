"""From a number of the page back to what made it: cells, their commands and records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rarelens.studies.cells import Cell
from rarelens.studies.reporting.number_text import words
from rarelens.studies.reporting.results import Results
from rarelens.studies.spreadsheet import RESULTS, to_csv

# The stage that analyses what is made from a trained cell.
MADE = {"segmentation": "analyse_adjusted", "classification": "analyse_retrained"}


def settings_of(settings: Mapping[str, Any], results: Results, task: str) -> dict[str, list[str]]:
    """What decided a comparison's cells, as lines of ``params.yaml``: by method, "" of all.

    Args:
        settings: by their place in ``params.yaml``.
        results: the comparison.
        task: of its study.
    """
    common = [f"datasets.{results.dataset}", f"networks.{results.network}"]
    common += [
        f"layers.{results.network}",
        *(f"{n}.{task}" for n in ("train", "extract", "analyse")),
    ]
    places = {"": common}
    for method in results.methods:
        trained, *adjusted = method.split("+")
        places[method] = [
            f"methods.{task}.{trained}",
            *(f"adjustments.{task}.{n}" for n in adjusted),
        ]
    return {
        method: [f"{place}: {json.dumps(settings[place])}" for place in own if place in settings]
        for method, own in places.items()
    }


def committed(task: str, statistics: Path) -> str:
    """The command that tells the commits whose lock holds a study's statistics.

    Args:
        task: of the study.
        statistics: the table of its comparison, of which DVC's lock has the digest.
    """
    digest = hashlib.md5(statistics.read_bytes(), usedforsecurity=False).hexdigest()
    lock = f"studies/{task}/dvc.lock"
    return f"git log --reverse --format='%h %as %s' -S{digest} -- {lock}"


class Origin(NamedTuple):
    """A model behind a number: the command that makes its analysis, and what is known of it."""

    cell: Cell
    command: str
    record: str

    @property
    def title(self) -> str:
        """For people."""
        return f"{words(self.cell.method)}, seed {self.cell.seed}"


def origins(task: str, results: Results) -> dict[str, list[Origin]]:
    """By method, the models of a comparison."""
    return {
        method: [
            _origin(Cell(task, results.dataset, results.network, method, results.fraction, seed))
            for seed in results.seeds
        ]
        for method in results.methods
    }


MOST_NUMBERS = 2**21
"""Letters of a comparison's table that the page still holds, before they are packed."""


def all_numbers(results: Results) -> str:
    """The comparison's table as CSV; empty where it is too long for the page."""
    text = to_csv(results.metrics, **RESULTS)
    return text if len(text) <= MOST_NUMBERS else ""


def comparing(task: str) -> str:
    """The command that makes a study's statistics."""
    return f"dvc repro studies/{task}/dvc.yaml:compare"


def _origin(cell: Cell) -> Origin:
    made = cell != cell.base
    stage = MADE[cell.task] if made else "analyse"
    steps = (cell.dataset, cell.network, *cell.method.split("+"), cell.fraction, str(cell.seed))
    # A post-hoc control trains nothing, and so has the record of its base.
    recorded = cell.base if cell.task == "segmentation" else cell
    return Origin(
        cell,
        f"dvc repro studies/{cell.task}/dvc.yaml:{stage}@{'-'.join(steps)}",
        recorded.folder("records").with_name(f"{recorded.seed}.json").as_posix(),
    )
