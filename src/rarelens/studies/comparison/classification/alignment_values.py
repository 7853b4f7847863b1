"""Alignment of saliency maps with findings, over the test images' maps of all models of a family.

A map belongs to an image and a class that is present there; values are paired by seed, image and
class. A class's value is the mean over its maps, and "mean" that over classes, so that a rare
class counts as much as a frequent one.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.studies.comparison.classification.family import Analysis, Family

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CALIPER = 0.5  # Of the pooled standard deviation of a class's logits.


class Alignment:
    """Values of maps as arrays (S, M): the same M (image, class) for all methods and seeds.

    Args:
        family: whose test images' maps are read.
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        self._wide = {key: _wide(model) for key, model in family.models.items()}
        maps = {key for table in self._wide.values() for key in table.index}
        names = ["image", "class"]
        self.maps = pd.MultiIndex.from_tuples(sorted(maps), names=names)

    @cached_property
    def columns(self) -> list[tuple[str, str, str]]:
        """All (saliency method, map, measure) that any model has."""
        found = {name for own in self._wide.values() for name in own.columns.to_flat_index()}
        return sorted((str(name[0]), str(name[1]), str(name[2])) for name in found)

    def values(self, method: str, column: tuple[str, str, str]) -> Array:
        """(S, M); NaN where a map is missing."""
        rows = []
        for seed in self.family.seeds:
            table = self._wide.get((method, seed))
            if table is None or column not in table.columns:
                rows.append(np.full(len(self.maps), np.nan))
            else:
                rows.append(table[column].reindex(self.maps).to_numpy(np.float64))
        return np.stack(rows)

    def matched(self, first: str, second: str, saliency: str) -> Mask:
        """(S, M): where both methods are about equally sure of the class.

        Their logits differ by at most `CALIPER` pooled standard deviations, over seeds and maps
        of that class and both methods (Rosenbaum and Rubin, The American Statistician 1985).
        """
        logits = [self.values(method, (saliency, "model", "logit")) for method in (first, second)]
        close = np.zeros(logits[0].shape, dtype=bool)
        for own in self._members:
            variances = [_variance(side[:, own]) for side in logits]
            reach = CALIPER * np.sqrt(np.mean(variances))
            close[:, own] = np.abs(logits[0][:, own] - logits[1][:, own]) <= reach
        return close

    def sampled(self, method: str, values: Array, keep: Mask) -> Array:
        """Sampled values (1 + B, S, K) from ``values`` (S, M) where ``keep`` (S, M)."""
        by_class = [self._class_mean(values[:, own], keep[:, own], own) for own in self._members]
        return self.family.pool(method, np.stack(by_class, axis=2))

    def _class_mean(self, values: Array, keep: Mask, own: Mask) -> Array:
        """(1 + B, S): the means over the maps of a class in each draw of patients."""
        rows = self._rows[own]
        sums = self.family.clusters.sums(np.where(keep, values, 0.0).T, rows)
        number = self.family.clusters.sums(keep.T.astype(np.float64), rows)
        undefined = np.full(sums.shape, np.nan)
        return np.asarray(np.divide(sums, number, out=undefined, where=number > 0))

    @cached_property
    def _members(self) -> list[Mask]:
        """Per class which maps are its own, (M,)."""
        index = self.maps.get_level_values("class").to_numpy(np.int64)
        return [index == number for number in range(len(self.family.classes))]

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """Each map's place among the test images, (M,)."""
        images = pd.Index(self.family.first.scores["image"])
        rows = images.get_indexer(self.maps.get_level_values("image"))
        return np.asarray(rows, dtype=np.int64)


def _wide(model: Analysis) -> pd.DataFrame:
    """A row an (image, class) of the test side, a column a (saliency, map, measure)."""
    long = model.table("alignment")
    long = long[long["side"] == "test"]
    keys = ["image", "class"]
    # Not pivot_table, which would average a map that stands there twice.
    wide = long.pivot(index=keys, columns=["method", "map", "measure"], values="value")  # noqa: PD010
    own = long[long["map"] == "model"].drop_duplicates([*keys, "method"])
    for method, rows in own.groupby("method", sort=True):
        wide[str(method), "model", "logit"] = rows.set_index(keys)["logit"]
    return wide


def _variance(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.var(ddof=1)) if known.size > 1 else float("nan")
