"""What the raw files of a study show, as ``rarelens validate`` sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.study import D, StudyChecks
from rarelens.studies.cells import Cell, cells_of
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.raw import SIMULATED, refuse_foreign
from rarelens.studies.data.splits import share_of_pool

RAW = Path("data/raw")
NOT_AS_WANTED = "not as wanted; `dvc repro` simulates it anew first"
C = TypeVar("C")


class StudyFiles(ABC, Generic[D, C]):
    """A look at all datasets of one task's study, each a collection as its layout describes it.

    What is wrong with the parameters alone is left to `check_study`.

    Attributes:
        problems: sentences; without any the study can run.
        notes: sentences that are no problems.
        prepared: bytes of the prepared arrays.
    """

    case: str  # What the collection holds, in the singular.

    def __init__(self, checks: StudyChecks[D]) -> None:
        self.checks = checks
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.prepared = 0.0
        for name in checks.study.datasets:
            if name in checks.datasets:
                self._look_at(name, checks.datasets[name])

    def trainings(self) -> list[tuple[Cell, dict[str, Any]]]:
        """The cells to be trained, with their parameters; adjusted ones train no network."""
        cells = cells_of(self.checks.task, self.checks.study)
        return [(cell, self.parameters_of(cell)) for cell in cells if cell == cell.base]

    @abstractmethod
    def outdated(self, present: C, settings: D) -> str:
        """Why a simulated collection will be simulated anew; empty if it will not."""

    @abstractmethod
    def check(self, name: str, settings: D, present: C | None) -> Iterator[str]:
        """Problems of a dataset; without a collection it is still to be simulated."""

    @abstractmethod
    def parameters_of(self, cell: Cell) -> dict[str, Any]:
        """The parameters of a cell's training as its record will keep them."""

    def check_split(self, name: str, splits: pd.Series[str]) -> Iterator[str]:
        """Sentences on splits that the study lacks, and on fractions that leave nothing."""
        if "validation" not in set(splits):
            yield from self.checks.without_validation(name)
        pool = int((splits == "pool").sum())
        for fraction in self.checks.study.fractions:
            if share_of_pool(fraction, pool) < 1:
                yield (
                    f"params.yaml: study.{self.checks.task}.fractions: {fraction} of {name}'s "
                    f"pool of {pool} {self.case}s leaves no training {self.case}; raise it or "
                    "enlarge the pool"
                )

    def _look_at(self, name: str, settings: D) -> None:
        try:
            for problem in self.check(name, settings, self._present(name, settings)):
                self.problems.append(problem)
        except RarelensError as error:
            self.problems += error.problems

    def _present(self, name: str, settings: D) -> C | None:
        """The dataset on disk; for one that is still to be simulated there is a note instead."""
        folder = RAW / name
        if settings.simulate is None:
            own: C = read_collection(settings.layout, folder, name)
            return own
        refuse_foreign(folder)
        if not (folder / SIMULATED).exists():
            self.notes.append(f"{name}: not simulated yet; `dvc repro` does so first")
            return None
        reason = NOT_AS_WANTED
        # What is there and will be replaced may be broken in any way.
        with suppress(RarelensError):
            present: C = read_collection(settings.layout, folder, name)
            reason = self.outdated(present, settings)
            if not reason:
                return present
        self.notes.append(f"{name}: {reason}")
        return None
