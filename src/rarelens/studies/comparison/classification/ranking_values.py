"""AUROC and average precision of all models of a family, with draws of patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.delong import delong_p
from rarelens.measures.ranking import ranking
from rarelens.studies.comparison.classification.family import Family

Array = NDArray[np.float64]

MEASURES = ("auroc", "average_precision")


def ranking_values(family: Family) -> dict[str, dict[str, Array]]:
    """Per measure and method the sampled values (1 + B, S, K) of the family's targets."""
    found: dict[str, dict[str, Array]] = {measure: {} for measure in MEASURES}
    for method in family.methods:
        models = [_by_class(family, method, seed) for seed in family.seeds]
        for position, measure in enumerate(MEASURES):
            values = np.stack([model[position] for model in models], axis=1)
            found[measure][method] = family.pool(method, values)
    return found


def delong_over_seeds(family: Family, first: str, second: str, index: int) -> float:
    """The p of DeLong's tests of two methods for class ``index``, one test a seed, combined.

    The seeds' tests share their images, so their p values depend on each other in an unknown
    way. With k = ⌊S/2⌋ + 1, p = S/k times the k-th smallest is valid all the same (Rüger 1978;
    Vovk and Wang, Biometrika 2020, section 2): the upper median, made somewhat larger.
    """
    p = np.array(
        [
            delong_p(_column(family, first, seed, "label", index),
                     _column(family, first, seed, "logit", index),
                     _column(family, second, seed, "logit", index))
            for seed in family.seeds
            if {(first, seed), (second, seed)} <= family.models.keys()
        ]
    )  # fmt: skip
    known = np.sort(p[np.isfinite(p)])
    if not known.size:
        return float("nan")
    place = known.size // 2 + 1
    return min(1.0, float(known[place - 1]) * known.size / place)


def _by_class(family: Family, method: str, seed: int) -> tuple[Array, Array]:
    """AUROC and average precision of one model, (1 + B, C) each."""
    shape = (len(family.clusters.weights), len(family.classes))
    auroc, precision = np.full(shape, np.nan), np.full(shape, np.nan)
    if (method, seed) not in family.models:
        return auroc, precision
    for index in range(shape[1]):
        labels = _column(family, method, seed, "label", index)
        rows = np.flatnonzero(np.isfinite(labels))
        logits = _column(family, method, seed, "logit", index)[rows]
        if len(np.unique(labels[rows])) < 2:
            continue
        parts = [ranking(labels[rows], logits, own) for own in family.clusters.by_image(rows)]
        auroc[:, index] = np.concatenate([part.auroc for part in parts])
        precision[:, index] = np.concatenate([part.average_precision for part in parts])
    return auroc, precision


def _column(family: Family, method: str, seed: int, kind: str, index: int) -> Array:
    return family.models[method, seed].scores[f"{kind}_{index}"].to_numpy(np.float64)
