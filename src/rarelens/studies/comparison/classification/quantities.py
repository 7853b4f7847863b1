"""What is compared: quantities with an estimate for each method and for each pair's difference.

Three kinds, by what is resampled: AUROC and average precision (patients' scores), alignment
(patients' maps), and what has one value per model, where only seeds vary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.statistics.estimates import Estimate, sampled, student
from rarelens.studies.comparison.classification.alignment_values import Alignment, Mask
from rarelens.studies.comparison.classification.family import GROUPS, Family
from rarelens.studies.comparison.classification.ranking_values import ranking_values
from rarelens.studies.comparison.classification.seed_values import seed_values

Array = NDArray[np.float64]
Column = tuple[str, str, str]


class Quantity(Protocol):
    """A measure, of a layer or none (""), for some targets ("mean", …, classes)."""

    @property
    def measure(self) -> str:
        """Its name."""

    @property
    def layer(self) -> str:
        """The layer it belongs to, or ""."""

    @property
    def targets(self) -> list[str]:
        """What it is estimated for."""

    def own(self, method: str) -> list[Estimate]:
        """A method's value, for each target."""

    def difference(self, first: str, second: str) -> list[Estimate]:
        """Method ``first`` minus ``second``, for each target, where both have a value."""


@dataclass(frozen=True)
class Ranked:
    """AUROC or average precision: ``values`` are the sampled values of each method."""

    family: Family
    measure: str
    values: dict[str, Array]
    layer: str = ""

    @property
    def targets(self) -> list[str]:
        """All of the family's."""
        return self.family.targets

    def own(self, method: str) -> list[Estimate]:
        """As `Quantity.own`."""
        return sampled(self.values[method], self.family.by_seed, self.family.settings.confidence)

    def difference(self, first: str, second: str) -> list[Estimate]:
        """As `Quantity.difference`."""
        gaps = self.values[first] - self.values[second]
        return sampled(gaps, self.family.by_seed, self.family.settings.confidence)


@dataclass(frozen=True)
class Aligned:
    """A measure of alignment: ``column`` is (saliency method, map, measure).

    Only ``main`` ones are given for each class; controls, further saliency methods and maps made
    binary ("@") for the mean over classes alone.
    """

    alignment: Alignment
    column: Column
    measure: str
    main: bool
    layer: str = ""

    @property
    def targets(self) -> list[str]:
        """All of the family's, or the first."""
        return self.alignment.family.targets if self.main else list(GROUPS[:1])

    @cached_property
    def _values(self) -> dict[str, Array]:
        methods = self.alignment.family.methods
        return {method: self.alignment.values(method, self.column) for method in methods}

    def own(self, method: str) -> list[Estimate]:
        """As `Quantity.own`."""
        values = self._values[method]
        return self._estimates(self.alignment.sampled(method, values, np.isfinite(values)))

    def difference(self, first: str, second: str) -> list[Estimate]:
        """As `Quantity.difference`."""
        sides = self.paired(first, second, np.ones(self._values[first].shape, dtype=bool))
        return self._estimates(sides[0] - sides[1])

    def paired(self, first: str, second: str, keep: Mask) -> tuple[Array, Array]:
        """Sampled values of both methods over those of the maps ``keep`` that both have."""
        values = self._values[first], self._values[second]
        both = keep & np.isfinite(values[0]) & np.isfinite(values[1])
        one, other = (
            self.alignment.sampled(method, own, both)
            for method, own in zip((first, second), values, strict=True)
        )
        return one, other

    def _estimates(self, values: Array) -> list[Estimate]:
        family = self.alignment.family
        known = values[:, :, : len(self.targets)]
        return sampled(known, family.by_seed, family.settings.confidence)


@dataclass(frozen=True)
class PerModel:
    """One value per model and target: ``values`` are (S, K) for each method."""

    family: Family
    measure: str
    layer: str
    targets: list[str]
    values: dict[str, Array]

    def own(self, method: str) -> list[Estimate]:
        """As `Quantity.own`; the p has no meaning."""
        return self._estimates(self.values[method])

    def difference(self, first: str, second: str) -> list[Estimate]:
        """As `Quantity.difference`."""
        return self._estimates(self.values[first] - self.values[second])

    def _estimates(self, values: Array) -> list[Estimate]:
        return [student(own, self.family.settings.confidence) for own in values.T]


def quantities(family: Family) -> Iterator[Quantity]:
    """All quantities of a family, in an order that is always the same."""
    for measure, values in ranking_values(family).items():
        yield Ranked(family, measure, values)
    alignment = Alignment(family)
    chosen = family.first.about["saliency"][0]
    for column in alignment.columns:
        saliency, kind, measure = column
        if measure == "logit" or (saliency != chosen and kind != "model"):
            continue
        suffix = "" if kind == "model" else f"_{kind}"
        suffix += "" if saliency == chosen else f"_{saliency}"
        main = not suffix and "@" not in measure
        yield Aligned(alignment, column, f"{measure}{suffix}", main)
    yield from _per_model(family)


def _per_model(family: Family) -> Iterator[Quantity]:
    table = seed_values(family)
    order = {target: place for place, target in enumerate(family.targets)}
    for (measure, layer), rows in table.groupby(["measure", "layer"], sort=True):
        targets = sorted(rows["class"].unique(), key=order.__getitem__)
        values = {}
        for method in family.methods:
            own = rows[rows["method"] == method]
            square = own.pivot(index="seed", columns="class", values="value")
            square = square.reindex(index=family.seeds, columns=targets)
            values[method] = square.to_numpy(np.float64)
        yield PerModel(family, str(measure), str(layer), targets, values)
