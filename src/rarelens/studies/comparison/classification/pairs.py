"""All pairs of methods: do they perform alike, and are they alike inside?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any

import numpy as np

from rarelens.measures.statistics import ENOUGH_SEEDS, Estimate
from rarelens.studies.catalogue import CLASSIFICATION
from rarelens.studies.comparison.classification.alignment import Aligned
from rarelens.studies.comparison.classification.cka import cka_of_pairs
from rarelens.studies.comparison.classification.claims import INSIDE, PERFORMANCE, answers
from rarelens.studies.comparison.classification.classifiers import GROUPS, Classifiers
from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.comparison.engine import Values
from rarelens.studies.comparison.inference import over_resamples

MATCHED = "energy_inside"
NUMBERS = ["value_a", "value_b", "difference", "low", "high", "p"]
COLUMNS = [*COMPARISON, "method_a", "method_b", "quantity", "class", "layer", *NUMBERS, "p_holm"]
COLUMNS += ["claim", "confidence", "seeds", "sufficient_seeds"]


def pairs_of(classifiers: Classifiers, known: Sequence[Values]) -> Iterator[dict[str, Any]]:
    """Differences of all pairs of methods of a comparison; a row a measure, class and layer.

    - auroc, average_precision: the mean over classes and each class; the three measures of
      alignment: the mean. Seeds and patients are random.
    - energy_inside_matched: over the maps for which both methods are about equally sure
      (`Maps.matched`); matched_share: the share of maps that is, as ``value_a``.
    - detectors, unique_concepts (both also beyond the null), effective_rank, linear_probe_auroc:
      by Student's t over seeds, from three seeds on.
    - cka: ``value_a`` is the mean CKA of the two methods at equal seeds, ``value_b`` that between
      seeds of one method, the noise floor, over both. ``low`` is the lowest CKA between methods
      minus the highest between seeds, ``high`` the reverse. No test, and no claim.
    - performs_alike, performs_differently, differs_inside: the claims (`claims.answers`), with p
      alone; of the first ``value_a`` is the margin within which the pair is equivalent, ``value_b``
      the one that is asked for.

    Yields:
        `COLUMNS` but p_holm; ``claim`` is true of the last three.
    """
    facts = {**classifiers.comparison.names, "confidence": classifiers.settings.confidence}
    asked = [own for own in known if _role(own)]
    means = [{method: own.own(method) for method in classifiers.methods} for own in asked]
    held = zip(classifiers.targets, classifiers.patients(classifiers.positives), strict=True)
    tested = [name for name, patients in held if patients]
    cka = {layer: cka_of_pairs(classifiers, layer) for layer in classifiers.first.about["layers"]}
    for pair in classifiers.pairs:
        found = [
            _Compared(values, pair, own, tested) for values, own in zip(asked, means, strict=True)
        ]
        rows = [row for own in found for row in own.rows()]
        rows += [_blank("cka", layer) | _cka_numbers(*own[pair]) for layer, own in cka.items()]
        performance, inside = (
            [gap for own in found if own.values.measure in names for gap in own.gaps]
            for names in (PERFORMANCE, INSIDE)
        )
        claims = answers(performance, inside, classifiers.settings)
        for row in [*rows, *(_blank(own["quantity"], "") | own for own in claims)]:
            enough = {"sufficient_seeds": row["seeds"] >= ENOUGH_SEEDS}
            yield facts | {"method_a": pair[0], "method_b": pair[1]} | row | enough


@dataclass(frozen=True)
class _Compared:
    """A measure of two methods: means over classes, and of performance each class."""

    values: Values
    pair: tuple[str, str]
    means: Mapping[str, Sequence[Estimate]]
    tested: Sequence[str]

    @cached_property
    def every(self) -> dict[str, tuple[Estimate, Estimate, Estimate]]:
        """By target: of the first method, of the second, of their difference."""
        first, second = (self.means[method] for method in self.pair)
        gaps = self.values.difference(*self.pair)
        return dict(zip(self.values.classes, zip(first, second, gaps, strict=True), strict=True))

    @property
    def targets(self) -> list[str]:
        """What there are rows for."""
        rest = self.values.classes if self.values.measure in PERFORMANCE else ()
        return ["mean", *(name for name in rest if name not in GROUPS)]

    @property
    def gaps(self) -> list[Estimate]:
        """The differences of the targets that are tested."""
        return [self.every[name][2] for name in self.targets if name in self.tested]

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row a target; of energy inside those over matched maps too."""
        for name in self.targets:
            yield _row(self.values.measure, name, self.values.layer, *self.every[name])
        if isinstance(self.values, Aligned) and self.values.measure == MATCHED:
            yield from _matched_rows(self.values, *self.pair)


def _role(values: Values) -> str:
    declared = CLASSIFICATION.get(values.measure)
    return declared.role if declared else ""


def _matched_rows(energy: Aligned, first: str, second: str) -> Iterator[dict[str, Any]]:
    keep = energy.maps.matched(first, second, energy.column[0])
    a, b = energy.paired(first, second, keep)
    known = energy.maps.classifiers
    patients = known.patients(energy.maps.patients)[:1]
    found = [over_resamples(x[:, :, :1], known.settings, patients)[0] for x in (a, b, a - b)]
    yield _row(f"{MATCHED}_matched", "mean", "", *found)
    share = float(keep.mean()) if keep.size else nan
    yield _blank("matched_share", "") | {"value_a": share, "seeds": found[2].seeds}


def _cka_numbers(between: Sequence[float], within: Sequence[float]) -> dict[str, float]:
    if not between:
        return {}
    mean = float(np.mean(between))
    if not within:
        return {"value_a": mean, "seeds": len(between)}
    floor = float(np.mean(within))
    return {
        "value_a": mean,
        "value_b": floor,
        "difference": mean - floor,
        "low": min(between) - max(within),
        "high": max(between) - min(within),
        "seeds": len(between),
    }


def _row(
    measure: str, target: str, layer: str, first: Estimate, second: Estimate, gap: Estimate
) -> dict[str, Any]:
    return _blank(measure, layer) | {
        "class": target,
        "value_a": first.mean,
        "value_b": second.mean,
        "difference": gap.mean,
        "low": gap.low,
        "high": gap.high,
        "p": gap.p,
        "seeds": gap.seeds,
    }


def _blank(measure: str, layer: str) -> dict[str, Any]:
    names = {"quantity": measure, "class": "mean", "layer": layer}
    return {**names, **dict.fromkeys(NUMBERS, nan), "seeds": 0, "claim": False}
