"""The classifiers of a comparison: all methods and seeds, tested on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.measures.arrays import ratio
from rarelens.measures.statistics import Clusters, completed
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.comparison import Comparison, comparisons, require_analyses
from rarelens.studies.files import read_json
from rarelens.studies.settings.results import Compare

Array = NDArray[np.float64]

TABLES = ["scores", "prediction", "shift", "alignment", "dissection", "components"]
TABLES += ["representation"]
GROUPS = ("mean", "head", "mid", "tail")


@dataclass(frozen=True)
class Analysis:
    """The analysis of one cell: its folder, ``analysis.json`` and the scores of test images."""

    folder: Path
    about: dict[str, Any]
    scores: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> Analysis:
        """From ``analyses/classification/<cell>``."""
        scores = pd.read_parquet(folder / "scores.parquet")
        return cls(folder, read_json(folder / "analysis.json"), scores)

    def table(self, name: str) -> pd.DataFrame:
        """One of its tables."""
        return pd.read_parquet(self.folder / f"{name}.parquet")


@dataclass(frozen=True)
class Classifiers:
    """M methods × S seeds of one comparison; ``models`` are by method and seed."""

    comparison: Comparison
    models: dict[tuple[str, int], Analysis]
    settings: Compare

    @cached_property
    def methods(self) -> list[str]:
        """In alphabetical order."""
        return sorted(self.comparison.methods)

    @cached_property
    def seeds(self) -> list[int]:
        """Those of all methods."""
        return self.comparison.seeds

    @property
    def first(self) -> Analysis:
        """Any of the models, for what all have in common."""
        return next(iter(self.models.values()))

    @property
    def classes(self) -> list[str]:
        """Their names."""
        return list(self.first.about["classes"])

    @property
    def targets(self) -> list[str]:
        """What values are given for: means over classes, then each class."""
        return [*GROUPS, *self.classes]

    @cached_property
    def positives(self) -> list[int]:
        """How many test patients have each class, or are without it where these are fewer."""
        scores = self.first.scores
        return [
            min(scores.loc[scores[f"label_{n}"] == sign, "group"].nunique() for sign in (0, 1))
            for n in range(len(self.classes))
        ]

    def few(self, patients: Sequence[int]) -> dict[str, int]:
        """Of each target how many of its classes have fewer patients than ``least_positives``.

        Args:
            patients: of each class.
        """
        few = np.array(patients) < self.settings.least_positives
        number = (self._all_members @ few).max(axis=0).astype(int)
        return dict(zip(self.targets, number.tolist(), strict=True))

    def patients(self, patients: Sequence[int]) -> list[int]:
        """How many carry each target that is tested; 0 of others.

        Of a mean over classes, those of its rarest class that has as many as ``least_positives``:
        of rare classes the mean's error is mostly. Without such a class it is not tested.

        Args:
            patients: of each class.
        """
        members = self._all_members > 0
        own = np.array(patients)
        enough = members & (own >= self.settings.least_positives)
        fewest = np.where(enough, own, np.iinfo(own.dtype).max).min(axis=(0, 2))
        # A group that has no class in one model has none in that model's number.
        lost = (members.any(axis=2) & ~enough.any(axis=2)).any(axis=0)
        found: list[int] = np.where(lost | ~enough.any(axis=(0, 2)), 0, fewest).tolist()
        return found

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All pairs of methods."""
        return list(combinations(self.methods, 2))

    @cached_property
    def clusters(self) -> Clusters:
        """Draws of the test images' patients, the same for all models."""
        draws, seed = self.settings.bootstrap, self.settings.seed
        return Clusters.draw(self.first.scores["group"].to_numpy(object), draws, [seed, 0])

    def pool(self, method: str, values: Array) -> Array:
        """From classes to targets: (1 + B, S, C) to (1 + B, S, K), the means over defined ones.

        Head, mid and tail are those of each model's own training images. All draws average over
        the same classes (`completed`).
        """
        members = np.stack([self._members(method, seed) for seed in self.seeds])
        whole = completed(values)
        defined = np.isfinite(whole)
        sums = np.einsum("bsc,skc->bsk", np.where(defined, whole, 0.0), members)
        number = np.einsum("bsc,skc->bsk", defined.astype(np.float64), members)
        means = ratio(sums, number)
        means[:, :, len(GROUPS) :] = values
        return means

    @cached_property
    def _all_members(self) -> Array:
        """`_members` of all models, (models, K, C)."""
        return np.stack([self._members(*key) for key in self.models])

    def _members(self, method: str, seed: int) -> Array:
        """Which classes belong to which target, (K, C)."""
        model = self.models.get((method, seed), self.first)
        own = model.about["class_groups"]
        groups = [[name in ("mean", group) for group in own] for name in GROUPS]
        return np.vstack([np.array(groups, dtype=np.float64), np.eye(len(own))])


def read_classifiers(
    cells: Sequence[Cell], analyses: Path, settings: Compare
) -> Iterator[Classifiers]:
    """The classifiers of each comparison of a study, in order.

    Args:
        cells: the study's models, in any order; folders of other cells are not looked at.
        analyses: the folder above ``<task>/<cell>``.
        settings: number of draws, confidence and seed.

    Raises:
        RarelensError: one sentence for each file that is missing, and for each analysis that is
            not of the same test images as the others of its comparison.
    """
    files = ["analysis.json", *(f"{table}.parquet" for table in TABLES)]
    require_analyses(cells, analyses, files)
    for own in comparisons(sorted(cells)):
        models = {
            (cell.method, cell.seed): Analysis.read(cell.folder(str(analyses)))
            for cell in own.cells
        }
        _check_images(list(models.values()))
        yield Classifiers(own, models, settings)


def _check_images(models: Sequence[Analysis]) -> None:
    """All must list the same images in the same order, for everything is paired by image."""
    first = models[0]
    problems = [
        f"{model.folder}: its test images or classes are not those of {first.folder}; "
        "rerun both cells from extract on"
        for model in models
        if model.about["classes"] != first.about["classes"]
        or model.scores["image"].tolist() != first.scores["image"].tolist()
    ]
    if problems:
        raise RarelensError(*problems)
