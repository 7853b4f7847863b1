"""The comparison of methods, the same for both tasks: one row a method, class and measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.measures import statistics
from rarelens.measures.statistics import UNDEFINED, Estimate, Record
from rarelens.studies.catalogue import Measure
from rarelens.studies.comparison.comparison import Comparison
from rarelens.studies.comparison.inference import over_models, over_patients
from rarelens.studies.settings.results import Compare

Array = NDArray[np.float64]

# The long table of values: ``group`` is the patient; it and the case are "" for what has one value
# a model. ``layer`` is "" where there is none, ``rule`` but for overlap.
VALUES = ["method", "seed", "group", "case", "class", "layer", "rule", "measure", "value"]
NO_RECORD = Record(0, 0, 0)


class Values(ABC):
    """The values of all methods in one measure, of a layer and by a rule ("" where without)."""

    measure: str
    layer: str
    rule: str

    @property
    @abstractmethod
    def classes(self) -> list[str]:
        """What there are values for: classes, or means over classes."""

    @abstractmethod
    def own(self, method: str) -> list[Estimate]:
        """A method's mean over seeds, for each class."""

    @abstractmethod
    def difference(self, first: str, second: str) -> list[Estimate]:
        """Method ``first`` minus ``second``, for each class, where both have a value."""

    def record(self, method: str, baseline: str) -> list[Record]:  # noqa: ARG002
        """On how many patients a method is better, equal and worse, for each class."""
        return [NO_RECORD] * len(self.classes)


@dataclass(frozen=True)
class OneClass:
    """Values of one class: of each method (S, n), with the patient of each of the n cases (n,).

    What has one value a model has n = 1, and the patient "".
    """

    by_method: Mapping[str, Array]
    patients: Sequence[str]

    @property
    def single(self) -> bool:
        """Whether there is one value a model."""
        return list(self.patients) == [""]

    @classmethod
    def read(cls, rows: pd.DataFrame, methods: Sequence[str]) -> OneClass:
        """From the rows of a class in a long table; seeds and cases in ascending order.

        Raises:
            ValueError: if a case stands there twice.
        """
        cases = rows.drop_duplicates("case").sort_values("case")
        axes: list[Any] = [methods, sorted(rows["seed"].unique()), cases["case"]]
        names = ("method", "seed", "case")
        places = [pd.Index(a).get_indexer(rows[n]) for a, n in zip(axes, names, strict=True)]
        found = np.full([len(axis) for axis in axes], np.nan)
        known = places[0] >= 0
        flat = np.ravel_multi_index([own[known] for own in places], found.shape)
        if len(np.unique(flat)) < len(flat):
            raise ValueError("a case of a method and seed stands twice in the table")
        found.flat[flat] = rows["value"].to_numpy(np.float64)[known]
        return cls(dict(zip(methods, found, strict=True)), cases["group"].tolist())


@dataclass(frozen=True)
class Tabulated(Values):
    """Means over patients, or one value a model, from a long table.

    A difference is paired by seed and case, and then averaged over the cases of a patient.
    """

    measure: str
    layer: str
    rule: str
    declared: Measure
    by_class: Mapping[str, OneClass]
    settings: Compare

    @property
    def classes(self) -> list[str]:
        """As `Values.classes`."""
        return list(self.by_class)

    def own(self, method: str) -> list[Estimate]:
        """As `Values.own`."""
        return [self._estimate(own, own.by_method[method]) for own in self.by_class.values()]

    def difference(self, first: str, second: str) -> list[Estimate]:
        """As `Values.difference`."""
        return [
            self._estimate(own, own.by_method[first] - own.by_method[second])
            for own in self.by_class.values()
        ]

    def record(self, method: str, baseline: str) -> list[Record]:
        """As `Values.record`."""
        return [self._record(own, method, baseline) for own in self.by_class.values()]

    def _estimate(self, own: OneClass, values: Array) -> Estimate:
        if own.single:
            return over_models(values[:, 0], self.declared.pooled, self.settings)
        return over_patients(statistics.patient_means(values, own.patients), self.settings)

    def _record(self, own: OneClass, method: str, baseline: str) -> Record:
        if own.single:
            return NO_RECORD
        gains = self._goodness(own.by_method[method]) - self._goodness(own.by_method[baseline])
        by_patient = statistics.patient_means(gains, own.patients)
        return statistics.record(statistics.subject_means(by_patient))

    def _goodness(self, values: Array) -> Array:
        """The larger, the better. Shift counts by its size, whatever its direction."""
        if self.declared.better == "larger":
            return values
        return -np.abs(values - (1 if self.declared.better == "one" else 0))


def tabulated(
    table: pd.DataFrame,
    methods: Sequence[str],
    declared: Mapping[str, Measure],
    settings: Compare,
    classes: Sequence[str],
) -> Iterator[Tabulated]:
    """The declared measures of one comparison's long table, in alphabetical order.

    Args:
        table: `VALUES`; not two values of a method, seed and case in a class, layer, rule, measure.
        methods: those that are compared.
        declared: the task's catalogue.
        settings: draws, confidence and seed.
        classes: their order.
    """
    known = table[table["measure"].isin(list(declared))]
    for names, rows in known.groupby(["measure", "layer", "rule"], sort=True):
        measure, layer, rule = map(str, names)
        parts = {str(name): part for name, part in rows.groupby("class", sort=False)}
        own = {name: OneClass.read(parts[name], methods) for name in classes if name in parts}
        yield Tabulated(measure, layer, rule, declared[measure], own, settings)


def compared(
    comparison: Comparison,
    values: Iterable[Values],
    baseline: str,
    settings: Compare,
) -> Iterator[dict[str, Any]]:
    """One row a measure, method and class: its mean, and the difference to the baseline.

    p is that of the difference; of the baseline's own shift, that it is 0.
    """
    methods = sorted(comparison.methods)
    facts = {"baseline": baseline, "confidence": settings.confidence}
    for measure in values:
        for method in methods:
            rows = _rows(measure, method, baseline, baseline in methods)
            yield from ({**comparison.names, **facts, **row} for row in rows)


def corrected(*tables: tuple[Sequence[Mapping[str, Any]], Sequence[str]]) -> list[pd.DataFrame]:
    """The tables of a study, with ``p_holm`` for rows that are a ``claim`` and have a p.

    One family: Holm's correction is over every claim that the study's page makes.

    Args:
        tables: of each its rows, which lack ``p_holm``, and its columns.
    """
    found = [pd.DataFrame(rows, columns=list(columns)) for rows, columns in tables]
    p = [table["p"].where(table["claim"].astype(bool)) for table in found]
    family = statistics.holm(pd.concat(p).to_numpy(np.float64))
    known = np.split(family, np.cumsum([len(table) for table in found])[:-1])
    return [table.assign(p_holm=own) for table, own in zip(found, known, strict=True)]


def _rows(values: Values, method: str, baseline: str, known: bool) -> Iterator[dict[str, Any]]:
    names = values.classes
    gaps, records = [UNDEFINED] * len(names), [NO_RECORD] * len(names)
    if known and method != baseline:
        gaps, records = values.difference(method, baseline), values.record(method, baseline)
    own_shift = method == baseline and values.measure == "shift_mean"
    for name, own, gap, record in zip(names, values.own(method), gaps, records, strict=True):
        yield {
            "method": method,
            "class": name,
            "layer": values.layer,
            "rule": values.rule,
            "measure": values.measure,
            "mean": own.mean,
            "sd_over_seeds": own.spread,
            "ci_low": own.low,
            "ci_high": own.high,
            "baseline_difference": gap.mean,
            "difference_low": gap.low,
            "difference_high": gap.high,
            "p": own.p if own_shift else gap.p,
            **record._asdict(),
            "subjects": own.patients,
            "seeds": own.seeds,
            "sufficient_seeds": own.sufficient,
        }
