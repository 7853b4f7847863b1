"""The shift of each class over test and training patients, both resampled.

A training subject stands on one side, a test patient on the other: the shift is no mean over the
patients of one sample, and its interval is Obuchowski and Rockette's, over the seeds' shifts and
resamples of the patients of either side. A patient of the pool who is drawn counts in every seed
that trained on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.measures.arrays import ratio
from rarelens.measures.statistics import Clusters, Estimate
from rarelens.studies.comparison.engine import Values
from rarelens.studies.comparison.inference import over_resamples
from rarelens.studies.settings.results import Compare

Array = NDArray[np.float64]

SIDES = ("train", "test")


@dataclass(frozen=True)
class Shift(Values):
    """Test minus training side of the mean over patients of their mean margins, in logits.

    Each patient has one vote, on either side: weighted by voxels on one side only, a shift would
    appear that is only the difference between large and small structures.

    ``margins``: of each method and seed, the mean margin of each side, patient and class.
    """

    margins: dict[Any, pd.Series]
    names: Sequence[str]
    settings: Compare
    measure: str = "shift_mean"
    layer: str = ""
    rule: str = "all"

    @classmethod
    def of(cls, table: pd.DataFrame, settings: Compare) -> Shift:
        """From the ``margin_train`` and ``margin_test`` of a comparison's long table."""
        side = table["measure"].map({f"margin_{side}": side for side in SIDES})
        own = table.assign(side=side)[side.notna()]
        margins = {
            key: part.groupby(["side", "group", "class"])["value"].mean()
            for key, part in own.groupby(["method", "seed"])
        }
        return cls(margins, list(dict.fromkeys(own["class"])), settings)

    @property
    def classes(self) -> list[str]:
        """As `Values.classes`."""
        return list(self.names)

    def own(self, method: str) -> list[Estimate]:
        """As `Values.own`."""
        return self._estimates(self._values(method))

    def difference(self, first: str, second: str) -> list[Estimate]:
        """As `Values.difference`."""
        return self._estimates(self._values(first) - self._values(second))

    def _estimates(self, values: Array) -> list[Estimate]:
        train, test = (self._holding[side] for side in SIDES)
        found = over_resamples(values, self.settings, list(map(min, train, test)))
        return [own._replace(patients=n) for own, n in zip(found, test, strict=True)]

    @cached_property
    def _seeds(self) -> list[int]:
        return sorted({seed for _, seed in self.margins})

    @cached_property
    def _patients(self) -> dict[str, list[str]]:
        """Of each side, of all cells."""
        known = {name[:2] for own in self.margins.values() for name in own.index}
        return {side: sorted(group for at, group in known if at == side) for side in SIDES}

    @cached_property
    def _weights(self) -> dict[str, Array]:
        """How often each draw takes each patient of a side, (1 + B, P)."""
        draws, seed = self.settings.bootstrap, self.settings.seed
        return {
            side: Clusters.draw(np.array(own, object), draws, [seed, number]).weights
            for number, (side, own) in enumerate(self._patients.items())
        }

    @cached_property
    def _holding(self) -> dict[str, list[int]]:
        """How many patients of each side have each class, (K,)."""
        held = {key for own in self.margins.values() for key in own.index}
        number = Counter((side, name) for side, _, name in held)
        return {side: [number[side, name] for name in self.names] for side in SIDES}

    def _values(self, method: str) -> Array:
        """(1 + B, S, K)."""
        shape = (1 + self.settings.bootstrap, len(self._seeds), len(self.names))
        found = np.full(shape, np.nan)
        for place, seed in enumerate(self._seeds):
            if (method, seed) in self.margins:
                train, test = (self._means(self.margins[method, seed], side) for side in SIDES)
                found[:, place] = test - train
        return found

    def _means(self, margins: pd.Series, side: str) -> Array:
        """Of the patients of a side, in each draw, (1 + B, K)."""
        every = pd.MultiIndex.from_product([self._patients[side], self.names])
        values = margins[side].reindex(every).to_numpy(np.float64).reshape(-1, len(self.names))
        known, weights = np.isfinite(values), self._weights[side]
        return ratio(weights @ np.where(known, values, 0.0), weights @ known)
