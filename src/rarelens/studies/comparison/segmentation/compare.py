"""Compare the methods of a segmentation study with its baseline, and with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import isfinite, nan
from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.measures.statistics import equivalence
from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.comparison import (
    COMPARISON,
    Comparison,
    comparisons,
    require_baseline,
)
from rarelens.studies.comparison.engine import Values, compared, corrected, tabulated
from rarelens.studies.comparison.segmentation.shift import Shift
from rarelens.studies.comparison.segmentation.values import read_values, require_values
from rarelens.studies.files import read_json
from rarelens.studies.settings.results import Compare

KEYS = [*COMPARISON, "method", "class", "rule", "measure"]
COLUMNS = [
    *[*COMPARISON, "method", "baseline", "class", "rule", "measure"],
    *["mean", "sd_over_seeds", "ci_low", "ci_high", "confidence"],
    *["baseline_difference", "difference_low", "difference_high", "p", "p_holm", "claim"],
    *["wins", "ties", "losses", "subjects", "seeds", "sufficient_seeds", "rare"],
]
PAIR_KEYS = [*COMPARISON, "method_a", "method_b", "class", "measure"]
PAIR_COLUMNS = [*PAIR_KEYS, "value_a", "value_b", "difference", "low", "high", "confidence"]
PAIR_COLUMNS += ["p", "p_holm", "claim", "p_equivalent", "subjects", "seeds", "sufficient_seeds"]
ASYMMETRIC, SYMMETRIC = "asymmetric_", "symmetric_"


def compare(
    cells: Sequence[Cell], analyses: Path, baseline: str, settings: Compare
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means, intervals, and paired differences to the baseline and between all methods.

    A value belongs to a seed and case; both methods must have it to enter the difference. The
    cases of one patient are averaged first, so that intervals, tests, wins and ``subjects`` are of
    patients. Intervals and p hold for the next training and the next patient (`inference`).
    Measures that are pooled over subjects (medians, Wasserstein, ECE) have a value per seed only:
    their rows have a difference, ``subjects`` 0 and no interval, p or record. Wins mean *better*,
    as the catalogue of measures says.

    The page's claims, over which Holm's correction is: the baseline's shift of every class; of rare
    classes and the measures that the catalogue has ``claimed``, every method against the baseline,
    and each asymmetric method against its symmetric form (``asymmetric_x`` against ``x``
    or ``symmetric_x``).

    Args:
        cells: the study's models, in any order.
        analyses: the folder above ``<task>/<cell>``.
        baseline: the method that the others are compared with.
        settings: draws, confidence, seed, fewest patients.

    Returns:
        One row for each dataset, network, fraction, method, class, rule and measure, `COLUMNS`;
        one for each pair of methods, class and headline measure, `PAIR_COLUMNS`. Both without case
        ids, in an order that does not depend on that of ``cells``; none without cells, of a study
        that is switched off.

    Raises:
        RarelensError: if an analysis is missing, or the baseline is not among the cells.
    """
    require_baseline(cells, baseline)
    require_values(cells, analyses)
    rows: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for own in comparisons(sorted(cells)):
        table = read_values(own.cells, analyses)
        classes = list(dict.fromkeys(table["class"]))
        shift = Shift.of(table, settings)
        values = [*tabulated(table, own.methods, SEGMENTATION, settings, classes), shift]
        about = read_json(own.cells[0].folder(str(analyses)) / "analysis.json")
        rare = {about["classes"][number] for number in about["rare_classes"]}
        rows += [_claimed(row, rare) for row in compared(own, values, baseline, settings)]
        pairs += [_claimed(row, rare) for row in _pairs(own, values, settings)]
    methods, both = (
        table.sort_values(keys, kind="stable", ignore_index=True)
        for table, keys in zip(
            corrected((rows, COLUMNS), (pairs, PAIR_COLUMNS)), (KEYS, PAIR_KEYS), strict=True
        )
    )
    return methods, both


def _claimed(row: dict[str, Any], rare: set[str]) -> dict[str, Any]:
    measure = row["measure"]
    if "method_a" in row:
        form = ASYMMETRIC + row["method_a"].removeprefix(SYMMETRIC)
        asked = row["method_b"] == form and row["class"] in rare
    elif row["method"] == row["baseline"]:
        asked = measure == Shift.measure
    else:
        asked = row["rule"] == "all" and row["class"] in rare
    claim = asked and SEGMENTATION[measure].claimed and isfinite(row["p"])
    return row | {"claim": claim, "rare": row["class"] in rare}


def _pairs(
    comparison: Comparison, values: Sequence[Values], settings: Compare
) -> Iterator[dict[str, Any]]:
    """Every pair, asymmetric after symmetric, for the headline measures by rule "all".

    ``p_equivalent``: that Dice or sensitivity differ by ``settings.equivalence`` or more.
    """
    ordered = sorted(comparison.methods, key=lambda name: (name.startswith(ASYMMETRIC), name))
    for measure in values:
        if measure.rule != "all" or not SEGMENTATION[measure.measure].headline:
            continue
        share = measure.measure in ("dice", "sensitivity")
        means = {method: measure.own(method) for method in ordered}
        for first, second in combinations(ordered, 2):
            gaps = measure.difference(second, first)
            for number, (name, gap) in enumerate(zip(measure.classes, gaps, strict=True)):
                yield {
                    **comparison.names,
                    "method_a": first,
                    "method_b": second,
                    "class": name,
                    "measure": measure.measure,
                    "value_a": means[first][number].mean,
                    "value_b": means[second][number].mean,
                    "difference": gap.mean,
                    "low": gap.low,
                    "high": gap.high,
                    "confidence": settings.confidence,
                    "p": gap.p,
                    "p_equivalent": equivalence(gap, settings.equivalence) if share else nan,
                    "subjects": gap.patients,
                    "seeds": gap.seeds,
                    "sufficient_seeds": gap.sufficient,
                }
