"""AUROC and average precision of all classifiers, with draws of patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.delong import delong_p
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
        return over_resamples(self.values[method], self.classifiers.settings)

    def difference(self, first: str, second: str) -> list[Estimate]:
        """As `Values.difference`."""
        gaps = self.values[first] - self.values[second]
        return over_resamples(gaps, self.classifiers.settings)


def ranked(classifiers: Classifiers) -> Iterator[Ranked]:
    """Both measures."""
    found: dict[str, dict[str, Array]] = {measure: {} for measure in MEASURES}
    for method in classifiers.methods:
        models = [_by_class(classifiers, method, seed) for seed in classifiers.seeds]
        for measure, of_models in zip(MEASURES, zip(*models, strict=True), strict=True):
            found[measure][method] = classifiers.pool(method, np.stack(of_models, axis=1))
    for measure, values in found.items():
        yield Ranked(classifiers, measure, values)


def delong_over_seeds(classifiers: Classifiers, first: str, second: str, index: int) -> float:
    """The p of DeLong's tests of two methods for class ``index``, one test a seed, combined.

    The seeds' tests share their images, so their p values depend on each other in an unknown
    way. With k = ⌊S/2⌋ + 1, p = S/k times the k-th smallest is valid all the same (Rüger 1978;
    Vovk and Wang, Biometrika 2020, section 2): the upper median, made somewhat larger.
    """
    p = np.array(
        [
            delong_p(_column(classifiers, first, seed, "label", index),
                     _column(classifiers, first, seed, "logit", index),
                     _column(classifiers, second, seed, "logit", index))
            for seed in classifiers.seeds
            if {(first, seed), (second, seed)} <= classifiers.models.keys()
        ]
    )  # fmt: skip
    known = np.sort(p[np.isfinite(p)])
    if not known.size:
        return float("nan")
    place = known.size // 2 + 1
    return min(1.0, float(known[place - 1]) * known.size / place)


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
