"""From a number of the page back to what made it: cells, their commands and records."""

from __future__ import annotations

from typing import NamedTuple

from rarelens.studies.cells import Cell
from rarelens.studies.reporting.number_text import words
from rarelens.studies.reporting.results import Results
from rarelens.studies.spreadsheet import RESULTS, to_csv

# The stage that analyses what is made from a trained cell.
MADE = {"segmentation": "analyse_adjusted", "classification": "analyse_retrained"}


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
