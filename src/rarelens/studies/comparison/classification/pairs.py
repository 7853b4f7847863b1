"""All pairs of methods: do they perform alike, and are they alike inside?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from rarelens.measures import statistics
from rarelens.measures.statistics import ENOUGH_SEEDS, Estimate
from rarelens.studies.catalogue import CLASSIFICATION
from rarelens.studies.comparison.classification.alignment import Aligned
from rarelens.studies.comparison.classification.cka import cka_of_pairs
from rarelens.studies.comparison.classification.claims import PAIR, PERFORMANCE
from rarelens.studies.comparison.classification.classifiers import Classifiers
from rarelens.studies.comparison.classification.ranking import delong_over_seeds
from rarelens.studies.comparison.engine import Values
from rarelens.studies.comparison.inference import over_resamples

MATCHED = "energy_inside"
NUMBERS = ["value_a", "value_b", "difference", "low", "high", "p", "p_holm"]
COLUMNS = [*PAIR, "quantity", "class", "layer", *NUMBERS]
COLUMNS += ["same_performance", "confidence", "seeds", "sufficient_seeds"]


def pairs_of(classifiers: Classifiers, known: Sequence[Values]) -> pd.DataFrame:
    """Differences of all pairs of methods of a comparison; a row a measure, class and layer.

    - auroc, average_precision, the three measures of alignment: means over classes, by
      resampling seeds and patients.
    - auroc_delong: for each class; the interval is that of resampling, p that of DeLong's test
      (`delong_over_seeds`), which takes images for independent.
    - energy_inside_matched: over the maps for which both methods are about equally sure
      (`Maps.matched`); matched_share: the share of maps that is, as ``value_a``.
    - detectors, unique_concepts (both also beyond the null), effective_rank, linear_probe_auroc:
      by Student's t over seeds, from three seeds on.
    - cka: ``value_a`` is the mean CKA of the two methods at equal seeds, ``value_b`` that between
      seeds of one method, the noise floor, over both. ``low`` is the lowest CKA between methods
      minus the highest between seeds, ``high`` the reverse: where ``high`` is below 0, every pair
      across methods is less alike than every pair of seeds.

    Holm's correction is over the pairs, for each measure, class and layer. Two methods have the
    ``same_performance`` where neither AUROC nor average precision differs significantly after it:
    no proof that they are equal, for which the intervals have to be read.

    Returns:
        `COLUMNS`.
    """
    rows = [row for values in known for row in _rows(classifiers, values)]
    for layer in classifiers.first.about["layers"]:
        rows += list(_cka_rows(classifiers, layer))
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "same_performance"])
    table = table.assign(**classifiers.comparison.names, confidence=classifiers.settings.confidence)
    for _, own in table.groupby(["quantity", "class", "layer"]):
        table.loc[own.index, "p_holm"] = statistics.holm(own["p"].to_numpy(np.float64))
    return _with_performance(table)[COLUMNS]


def _rows(classifiers: Classifiers, values: Values) -> Iterator[dict[str, Any]]:
    """The rows of all pairs for a measure; none for one that has no role in pairs."""
    name = values.measure
    if name not in CLASSIFICATION or not CLASSIFICATION[name].role:
        return
    own = {method: values.own(method) for method in classifiers.methods}
    place = values.classes.index("mean")
    for first, second in classifiers.pairs:
        gaps = values.difference(first, second)
        every = list(zip(own[first], own[second], gaps, strict=True))
        rows = [_row(name, "mean", values.layer, *every[place])]
        if name == "auroc":
            rows += _delong_rows(classifiers, (first, second), every)
        if isinstance(values, Aligned) and name == MATCHED:
            rows += _matched_rows(values, first, second)
        for row in rows:
            yield row | {"method_a": first, "method_b": second}


def _delong_rows(
    classifiers: Classifiers, pair: tuple[str, str], auroc: Sequence[tuple[Estimate, ...]]
) -> Iterator[dict[str, Any]]:
    """A row a class, from the estimates of both methods and of their difference."""
    for index, name in enumerate(classifiers.classes):
        first, second, gap = auroc[classifiers.targets.index(name)]
        tested = gap._replace(p=delong_over_seeds(classifiers, *pair, index))
        yield _row("auroc_delong", name, "", first, second, tested)


def _matched_rows(energy: Aligned, first: str, second: str) -> Iterator[dict[str, Any]]:
    keep = energy.maps.matched(first, second, energy.column[0])
    a, b = energy.paired(first, second, keep)
    settings = energy.maps.classifiers.settings
    found = [over_resamples(own[:, :, :1], settings)[0] for own in (a, b, a - b)]
    yield _row(f"{MATCHED}_matched", "mean", "", *found)
    share = float(keep.mean()) if keep.size else nan
    yield _blank("matched_share", "") | {"value_a": share, "seeds": found[2].seeds}


def _cka_rows(classifiers: Classifiers, layer: str) -> Iterator[dict[str, Any]]:
    for (first, second), (between, within) in cka_of_pairs(classifiers, layer).items():
        row = _blank("cka", layer) | {"method_a": first, "method_b": second}
        yield row | _cka_numbers(between, within) | {"seeds": len(between)}


def _cka_numbers(between: Sequence[float], within: Sequence[float]) -> dict[str, float]:
    if not between:
        return {}
    mean = float(np.mean(between))
    if not within:
        return {"value_a": mean}
    floor = float(np.mean(within))
    return {
        "value_a": mean,
        "value_b": floor,
        "difference": mean - floor,
        "low": min(between) - max(within),
        "high": max(between) - min(within),
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
    return {**names, **dict.fromkeys(NUMBERS, nan), "seeds": 0}


def _with_performance(table: pd.DataFrame) -> pd.DataFrame:
    """Add ``same_performance`` of each pair to all its rows, and whether the seeds suffice."""
    table["same_performance"] = False
    table["sufficient_seeds"] = table["seeds"] >= ENOUGH_SEEDS
    for _, own in table.groupby(["method_a", "method_b"]):
        p = own.loc[own["quantity"].isin(PERFORMANCE), "p_holm"]
        # A p that is not defined is no evidence that two methods perform alike.
        alike = len(p) == len(PERFORMANCE) and bool((p >= 1 - own["confidence"].iloc[0]).all())
        table.loc[own.index, "same_performance"] = alike
    return table
