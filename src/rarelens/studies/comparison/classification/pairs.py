"""All pairs of methods: do they perform alike, and are they alike inside?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from rarelens.measures.statistics import paired as statistics
from rarelens.measures.statistics.estimates import ENOUGH_SEEDS, Estimate, sampled
from rarelens.studies.comparison.classification.cka import Likeness, likeness
from rarelens.studies.comparison.classification.family import Family
from rarelens.studies.comparison.classification.quantities import Aligned, Quantity
from rarelens.studies.comparison.classification.question import (
    ALIGNMENT,
    CONCEPTS,
    PAIR,
    PERFORMANCE,
)
from rarelens.studies.comparison.classification.ranking_values import delong_over_seeds

OTHERS = ("effective_rank", "linear_probe_auroc")
MATCHED = "energy_inside"
NUMBERS = ["value_a", "value_b", "difference", "low", "high", "p", "p_holm"]
COLUMNS = [*PAIR, "quantity", "class", "layer", *NUMBERS]
COLUMNS += ["same_performance", "confidence", "seeds", "sufficient_seeds"]


def pairs_of(family: Family, known: Sequence[Quantity]) -> pd.DataFrame:
    """Differences of all pairs of methods of a family; a row a quantity, class and layer.

    - auroc, average_precision, the three measures of alignment: means over classes, by
      resampling seeds and patients.
    - auroc_delong: for each class; the interval is that of resampling, p that of DeLong's test
      (`delong_over_seeds`), which takes images for independent.
    - energy_inside_matched: over the maps for which both methods are about equally sure
      (`Alignment.matched`); matched_share: the share of maps that is, as ``value_a``.
    - detectors, unique_concepts (both also beyond the null), effective_rank, linear_probe_auroc:
      by Student's t over seeds, from three seeds on.
    - cka: ``value_a`` is the mean CKA of the two methods at equal seeds, ``value_b`` that between
      seeds of one method, the noise floor, over both. ``low`` is the lowest CKA between methods
      minus the highest between seeds, ``high`` the reverse: where ``high`` is below 0, every pair
      across methods is less alike than every pair of seeds.

    Holm's correction is over the pairs, for each quantity, class and layer. Two methods have the
    ``same_performance`` where neither AUROC nor average precision differs significantly after it:
    no proof that they are equal, for which the intervals have to be read.

    Returns:
        `COLUMNS`.
    """
    rows = [row for quantity in known for row in _rows(family, quantity)]
    rows += [row for layer in family.first.about["layers"] for row in _cka_rows(family, layer)]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "same_performance"])
    table = table.assign(**family.names, confidence=family.settings.confidence)
    for _, own in table.groupby(["quantity", "class", "layer"]):
        table.loc[own.index, "p_holm"] = statistics.holm(own["p"].to_numpy(np.float64))
    return _with_performance(table)[COLUMNS]


def _rows(family: Family, quantity: Quantity) -> Iterator[dict[str, Any]]:
    """The rows of all pairs for a quantity; none for one that pairs do not show."""
    name = quantity.measure
    if name not in (*PERFORMANCE, *ALIGNMENT, *CONCEPTS, *OTHERS):
        return
    own = {method: quantity.own(method) for method in family.methods}
    place = quantity.targets.index("mean")
    for first, second in family.pairs:
        gaps = quantity.difference(first, second)
        rows = [
            _row(name, "mean", quantity.layer, own[first][place], own[second][place], gaps[place])
        ]
        if name == "auroc":
            rows += _delong_rows(family, (first, second), (own[first], own[second], gaps))
        if isinstance(quantity, Aligned) and name == MATCHED:
            rows += _matched_rows(family, quantity, first, second)
        for row in rows:
            yield row | {"method_a": first, "method_b": second}


def _delong_rows(
    family: Family, pair: tuple[str, str], auroc: tuple[list[Estimate], ...]
) -> Iterator[dict[str, Any]]:
    """A row a class, from the estimates of both methods and of their difference."""
    for index, name in enumerate(family.classes):
        first, second, gap = (own[family.targets.index(name)] for own in auroc)
        tested = gap._replace(p=delong_over_seeds(family, *pair, index))
        yield _row("auroc_delong", name, "", first, second, tested)


def _matched_rows(
    family: Family, energy: Aligned, first: str, second: str
) -> Iterator[dict[str, Any]]:
    keep = energy.alignment.matched(first, second, energy.column[0])
    values = energy.paired(first, second, keep)
    found = [
        sampled(own[:, :, :1], family.by_seed, family.settings.confidence)[0]
        for own in (*values, values[0] - values[1])
    ]
    yield _row(f"{MATCHED}_matched", "mean", "", *found)
    share = float(keep.mean()) if keep.size else nan
    yield _blank("matched_share", "") | {"value_a": share, "seeds": found[2].seeds}


def _cka_rows(family: Family, layer: str) -> Iterator[dict[str, Any]]:
    for (first, second), found in likeness(family, layer).items():
        row = _blank("cka", layer) | {"method_a": first, "method_b": second}
        yield row | _cka_numbers(found) | {"seeds": len(found.between)}


def _cka_numbers(found: Likeness) -> dict[str, float]:
    if not found.between:
        return {}
    between = float(np.mean(found.between))
    if not found.within:
        return {"value_a": between}
    floor = float(np.mean(found.within))
    return {
        "value_a": between,
        "value_b": floor,
        "difference": between - floor,
        "low": min(found.between) - max(found.within),
        "high": max(found.between) - min(found.within),
    }


def _row(
    quantity: str, target: str, layer: str, first: Estimate, second: Estimate, gap: Estimate
) -> dict[str, Any]:
    return _blank(quantity, layer) | {
        "class": target,
        "value_a": first.mean,
        "value_b": second.mean,
        "difference": gap.mean,
        "low": gap.low,
        "high": gap.high,
        "p": gap.p,
        "seeds": gap.seeds,
    }


def _blank(quantity: str, layer: str) -> dict[str, Any]:
    names = {"quantity": quantity, "class": "mean", "layer": layer}
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
