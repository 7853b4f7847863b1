"""AUROC and average precision of all classifiers, with draws of patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.ranking import ranking
from rarelens.measures.statistics import Estimate
from rarelens.studies.comparison.classification.classifiers import Classifiers
from rarelens.studies.comparison.engine import Values
from rarelens.studies.comparison.inference import over_resamples

Array = NDArray[np.float64]

MEASURES = ("auroc", "average_precision")


@dataclass(frozen=True)
class Ranked(Values):
    """AUROC or average precision: ``values`` are (1 + B, S, K) of each method, for all targets."""

    classifiers: Classifiers
    measure: str
    values: dict[str, Array]
    layer: str = ""
    rule: str = ""

    @property
    def classes(self) -> list[str]:
        """As `Values.classes`."""
        return self.classifiers.targets

    def own(self, method: str) -> list[Estimate]:
        """As `Values.own`."""
        return self._estimates(self.values[method])

    def difference(self, first: str, second: str) -> list[Estimate]:
        """As `Values.difference`."""
        return self._estimates(self.values[first] - self.values[second])

    def _estimates(self, values: Array) -> list[Estimate]:
        patients = self.classifiers.patients(self.classifiers.positives)
        return over_resamples(values, self.classifiers.settings, patients)


def ranked(classifiers: Classifiers) -> Iterator[Ranked]:
    """Both measures."""
    found: dict[str, dict[str, Array]] = {measure: {} for measure in MEASURES}
    for method in classifiers.methods:
        models = [_by_class(classifiers, method, seed) for seed in classifiers.seeds]
        for measure, of_models in zip(MEASURES, zip(*models, strict=True), strict=True):
            found[measure][method] = classifiers.pool(method, np.stack(of_models, axis=1))
    for measure, values in found.items():
        yield Ranked(classifiers, measure, values)


def _by_class(classifiers: Classifiers, method: str, seed: int) -> tuple[Array, Array]:
    """AUROC and average precision of one model, (1 + B, C) each."""
    shape = (len(classifiers.clusters.weights), len(classifiers.classes))
    auroc, precision = np.full((2, *shape), np.nan)
    if (method, seed) not in classifiers.models:
        return auroc, precision
    for index in range(shape[1]):
        labels = _column(classifiers, method, seed, "label", index)
        rows = np.flatnonzero(np.isfinite(labels))
        logits = _column(classifiers, method, seed, "logit", index)[rows]
        if len(np.unique(labels[rows])) < 2:
            continue
        parts = [ranking(labels[rows], logits, own) for own in classifiers.clusters.by_image(rows)]
        auroc[:, index] = np.concatenate([part.auroc for part in parts])
        precision[:, index] = np.concatenate([part.average_precision for part in parts])
    return auroc, precision


def _column(classifiers: Classifiers, method: str, seed: int, kind: str, index: int) -> Array:
    return classifiers.models[method, seed].scores[f"{kind}_{index}"].to_numpy(np.float64)
