"""Debiased CKA between methods, beside that between seeds of one method."""

from __future__ import annotations

from itertools import combinations
from math import nan, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.similarity import hsic
from rarelens.studies.comparison.classification.classifiers import Classifiers

Array = NDArray[np.float64]
Model = tuple[str, int]

MOST_IMAGES = 4000  # Of a larger test set, as many, evenly spaced; the estimator has no bias.


def cka_of_pairs(
    classifiers: Classifiers, layer: str
) -> dict[tuple[str, str], tuple[list[float], list[float]]]:
    """CKA of all pairs of methods, on the pooled features of the test images.

    Args:
        classifiers: methods and seeds.
        layer: whose features.

    Returns:
        Per pair the CKAs of both methods at equal seeds, and those of each of them between its own
        seeds; undefined ones are left out.
    """
    features = {key: _features(model.folder, layer) for key, model in classifiers.models.items()}
    own = {key: hsic(values, values) for key, values in features.items()}

    def cka(first: Model, second: Model) -> float:
        if not ({first, second} <= features.keys() and own[first] * own[second] > 0):
            return nan
        return hsic(features[first], features[second]) / sqrt(own[first] * own[second])

    within = {
        method: [cka((method, a), (method, b)) for a, b in combinations(classifiers.seeds, 2)]
        for method in classifiers.methods
    }
    return {
        (a, b): (
            _defined([cka((a, seed), (b, seed)) for seed in classifiers.seeds]),
            _defined([*within[a], *within[b]]),
        )
        for a, b in classifiers.pairs
    }


def _features(folder: Path, layer: str) -> Array:
    stored = np.load(folder / "features" / f"{layer}.npy", mmap_mode="r")
    number = min(len(stored), MOST_IMAGES)
    rows = np.linspace(0, max(len(stored) - 1, 0), number).round().astype(np.int64)
    return np.asarray(stored[rows], dtype=np.float64)


def _defined(values: list[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]
