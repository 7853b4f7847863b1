"""Alignment of saliency maps with findings, over the test images' maps of all classifiers.

A map belongs to an image and a class that is present there; values are paired by seed, image and
class. A class's value is the mean over its maps, and "mean" that over classes, so that a rare
class counts as much as a frequent one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.measures.arrays import ratio
from rarelens.measures.statistics import Estimate
from rarelens.studies.comparison.classification.classifiers import (
    GROUPS,
    Analysis,
    Classifiers,
)
from rarelens.studies.comparison.engine import Values
from rarelens.studies.comparison.inference import over_resamples

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Column = tuple[str, str, str]  # Saliency method, map, measure.

CALIPER = 0.5  # Of the pooled standard deviation of a class's logits.


class Maps:
    """Values of maps as arrays (S, M): the same M (image, class) for all methods and seeds.

    Args:
        classifiers: whose test images' maps are read.
    """

    def __init__(self, classifiers: Classifiers) -> None:
        self.classifiers = classifiers
        self._wide = {key: _wide(model) for key, model in classifiers.models.items()}
        maps = {key for table in self._wide.values() for key in table.index}
        self.maps = pd.MultiIndex.from_tuples(sorted(maps), names=["image", "class"])

    @cached_property
    def columns(self) -> list[Column]:
        """All that any model has."""
        found = {name for own in self._wide.values() for name in own.columns.to_flat_index()}
        return sorted((str(name[0]), str(name[1]), str(name[2])) for name in found)

    def values(self, method: str, column: Column) -> Array:
        """(S, M); NaN where a map is missing."""
        rows = []
        for seed in self.classifiers.seeds:
            table = self._wide.get((method, seed))
            if table is None or column not in table.columns:
                rows.append(np.full(len(self.maps), np.nan))
            else:
                rows.append(table[column].reindex(self.maps).to_numpy(np.float64))
        return np.stack(rows)

    @cached_property
    def patients(self) -> list[int]:
        """How many patients have maps of each class."""
        groups = self.classifiers.first.scores["group"].to_numpy(object)[self._rows]
        return [len(set(groups[own])) for own in self._members]

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

    def resampled(self, method: str, values: Array, keep: Mask) -> Array:
        """For each target, (1 + B, S, K), from ``values`` (S, M) where ``keep`` (S, M)."""
        by_class = [self._class_mean(values[:, own], keep[:, own], own) for own in self._members]
        return self.classifiers.pool(method, np.stack(by_class, axis=2))

    def _class_mean(self, values: Array, keep: Mask, own: Mask) -> Array:
        """(1 + B, S): the means over the maps of a class in each draw of patients."""
        rows, clusters = self._rows[own], self.classifiers.clusters
        sums = clusters.sums(np.where(keep, values, 0.0).T, rows)
        number = clusters.sums(keep.T.astype(np.float64), rows)
        return ratio(sums, number)

    @cached_property
    def _members(self) -> list[Mask]:
        """Per class which maps are its own, (M,)."""
        index = self.maps.get_level_values("class").to_numpy(np.int64)
        return [index == number for number in range(len(self.classifiers.classes))]

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """Each map's place among the test images, (M,)."""
        images = pd.Index(self.classifiers.first.scores["image"])
        rows = images.get_indexer(self.maps.get_level_values("image"))
        return np.asarray(rows, dtype=np.int64)


@dataclass(frozen=True)
class Aligned(Values):
    """A measure of alignment.

    Only ``main`` ones are given for each class; controls, further saliency methods and maps made
    binary ("@") for the mean over classes alone.
    """

    maps: Maps
    column: Column
    measure: str
    main: bool
    layer: str = ""
    rule: str = ""

    @property
    def classes(self) -> list[str]:
        """As `Values.classes`: all targets, or the first."""
        return self.maps.classifiers.targets if self.main else list(GROUPS[:1])

    @cached_property
    def _values(self) -> dict[str, Array]:
        methods = self.maps.classifiers.methods
        return {method: self.maps.values(method, self.column) for method in methods}

    def own(self, method: str) -> list[Estimate]:
        """As `Values.own`."""
        values = self._values[method]
        return self._estimates(self.maps.resampled(method, values, np.isfinite(values)))

    def difference(self, first: str, second: str) -> list[Estimate]:
        """As `Values.difference`."""
        sides = self.paired(first, second, np.ones(self._values[first].shape, dtype=bool))
        return self._estimates(sides[0] - sides[1])

    def paired(self, first: str, second: str, keep: Mask) -> tuple[Array, Array]:
        """Both methods' values (1 + B, S, K), over those of the maps ``keep`` that both have."""
        values = self._values[first], self._values[second]
        both = keep & np.isfinite(values[0]) & np.isfinite(values[1])
        one, other = (
            self.maps.resampled(method, own, both)
            for method, own in zip((first, second), values, strict=True)
        )
        return one, other

    def _estimates(self, values: Array) -> list[Estimate]:
        """Enough patients must have maps of a class."""
        known, number = self.maps.classifiers, len(self.classes)
        patients = known.patients(self.maps.patients)[:number]
        return over_resamples(values[:, :, :number], known.settings, patients)


def aligned(classifiers: Classifiers) -> Iterator[Aligned]:
    """All measures of alignment: of the first saliency method with controls, of others without."""
    maps = Maps(classifiers)
    chosen = classifiers.first.about["saliency"][0]
    for column in maps.columns:
        saliency, kind, measure = column
        if measure == "logit" or (saliency != chosen and kind != "model"):
            continue
        suffix = "" if kind == "model" else f"_{kind}"
        suffix += "" if saliency == chosen else f"_{saliency}"
        main = not suffix and "@" not in measure
        yield Aligned(maps, column, f"{measure}{suffix}", main)


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
