"""Debiased CKA between the methods of a family, beside that between seeds of one method."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import nan, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.similarity import hsic
from rarelens.studies.comparison.classification.family import Family

Array = NDArray[np.float64]

MOST_IMAGES = 4000  # Of a larger test set, as many, evenly spaced; the estimator has no bias.


@dataclass(frozen=True)
class Likeness:
    """CKA of two methods at equal seeds, and of each of them between its own seeds."""

    between: list[float]
    within: list[float]


def likeness(family: Family, layer: str) -> dict[tuple[str, str], Likeness]:
    """CKA of all pairs of methods, on the pooled features of the test images.

    Args:
        family: methods and seeds.
        layer: whose features.

    Returns:
        Per pair of methods; undefined CKAs are left out.
    """
    features = {key: _features(model.folder, layer) for key, model in family.models.items()}
    own = {key: hsic(values, values) for key, values in features.items()}

    def cka(first: tuple[str, int], second: tuple[str, int]) -> float:
        if not ({first, second} <= features.keys() and own[first] * own[second] > 0):
            return nan
        return hsic(features[first], features[second]) / sqrt(own[first] * own[second])

    within = {
        method: [cka((method, a), (method, b)) for a, b in combinations(family.seeds, 2)]
        for method in family.methods
    }
    return {
        (a, b): Likeness(
            _defined([cka((a, seed), (b, seed)) for seed in family.seeds]),
            _defined([*within[a], *within[b]]),
        )
        for a, b in family.pairs
    }


def _features(folder: Path, layer: str) -> Array:
    stored = np.load(folder / "features" / f"{layer}.npy", mmap_mode="r")
    number = min(len(stored), MOST_IMAGES)
    rows = np.linspace(0, max(len(stored) - 1, 0), number).round().astype(np.int64)
    return np.asarray(stored[rows], dtype=np.float64)


def _defined(values: list[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]
