"""Compare the methods of a classification study with its baseline, and with each other."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rarelens.errors import RarelensError
from rarelens.measures.statistics import paired as statistics
from rarelens.measures.statistics.estimates import UNDEFINED, Estimate
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.analyses import STUDY
from rarelens.studies.comparison.classification import pairs
from rarelens.studies.comparison.classification.family import Family, read_families
from rarelens.studies.comparison.classification.quantities import Quantity, quantities
from rarelens.studies.files import write_json, write_text
from rarelens.studies.settings.results import Compare

COLUMNS = [
    *[*STUDY, "method", "baseline", "class", "layer", "measure"],
    *["mean", "sd_over_seeds", "ci_low", "ci_high", "confidence"],
    *["baseline_difference", "difference_low", "difference_high", "p", "p_holm"],
    *["seeds", "sufficient_seeds"],
]
MAIN = (
    "auroc",
    "average_precision",
    "f1",
    "recall",
    "ece",
    "energy_inside",
    "pointing_game",
    "soft_iou",
    "detectors",
    "unique_concepts",
)


class Comparison(NamedTuple):
    """``methods``: each method against the baseline (`COLUMNS`); ``pairs``: `pairs.COLUMNS`."""

    methods: pd.DataFrame
    pairs: pd.DataFrame


def compare(cells: Sequence[Cell], analyses: Path, baseline: str, settings: Compare) -> Comparison:
    """Means over seeds with intervals, and differences to the baseline and between all methods.

    AUROC, average precision and alignment are resampled over seeds and patients
    (`estimates.sampled`); alignment is that of the test images. Everything else has one value per
    model and Student's t interval over three or more seeds (`estimates.student`), which says
    nothing about the choice of test images. Holm's correction is over the methods that are
    compared with the baseline, for each dataset, network, fraction, class, layer and measure.

    Args:
        cells: the study's models, in any order; a study that is switched off has none.
        analyses: the folder above ``<task>/<cell>``.
        baseline: the method that the others are compared with.
        settings: number of bootstrap draws, confidence, seed.

    Returns:
        Two tables without image ids, in an order that does not depend on that of ``cells``.

    Raises:
        RarelensError: if an analysis is missing or of other images than those it is compared
            with, or the baseline is not among the cells.
    """
    if cells and baseline not in {cell.method for cell in cells}:
        raise RarelensError(
            f"baseline {baseline!r} is not among the study's methods; add it to study.*.methods"
        )
    tables = [pd.DataFrame(columns=COLUMNS)], [pd.DataFrame(columns=pairs.COLUMNS)]
    for family in read_families(cells, analyses, settings):
        known = list(quantities(family))
        rows = [row for quantity in known for row in _rows(family, quantity, baseline)]
        tables[0].append(pd.DataFrame(rows).assign(**family.names, baseline=baseline)[COLUMNS])
        tables[1].append(pairs.pairs_of(family, known))
    found = (pd.concat(own[1:], ignore_index=True) if len(own) > 1 else own[0] for own in tables)
    return Comparison(*found)


def write_metrics(found: Comparison, json: Path, csv: Path, pairs_csv: Path) -> None:
    """Write both tables as CSV, and the means of the main measures as nested JSON.

    The JSON has the levels dataset, network, fraction, method, class, measure and, where there
    is one, layer, for ``dvc metrics diff``; a mean that is not defined is left out.
    """
    for table, file in ((found.methods, csv), (found.pairs, pairs_csv)):
        write_text(file, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    tree: dict[str, Any] = {}
    main = found.methods[found.methods["measure"].isin(MAIN)]
    for row in main.to_dict("records"):
        if not isfinite(row["mean"]):
            continue
        layers = [row["measure"], row["layer"]] if row["layer"] else [row["measure"]]
        node = tree
        for level in [*(row[name] for name in (*STUDY, "method", "class")), *layers[:-1]]:
            node = node.setdefault(str(level), {})
        node[layers[-1]] = float(f"{row['mean']:.6g}")
    write_json(json, tree)


def _rows(family: Family, quantity: Quantity, baseline: str) -> list[dict[str, Any]]:
    """The rows of all methods for one quantity, with Holm's correction over them."""
    rows = []
    for method in family.methods:
        own = quantity.own(method)
        compared = method != baseline and baseline in family.methods
        gaps = quantity.difference(method, baseline) if compared else [UNDEFINED] * len(own)
        for target, estimate, gap in zip(quantity.targets, own, gaps, strict=True):
            names = {"method": method, "class": target}
            names |= {"layer": quantity.layer, "measure": quantity.measure}
            rows.append(names | _numbers(estimate, gap, family.settings.confidence))
    for target in quantity.targets:
        same = [row for row in rows if row["class"] == target]
        corrected = statistics.holm(np.array([row["p"] for row in same], dtype=np.float64))
        for row, p in zip(same, corrected, strict=True):
            row["p_holm"] = float(p)
    return rows


def _numbers(own: Estimate, gap: Estimate, confidence: float) -> dict[str, Any]:
    return {
        "mean": own.mean,
        "sd_over_seeds": own.spread,
        "ci_low": own.low,
        "ci_high": own.high,
        "confidence": confidence,
        "baseline_difference": gap.mean,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "p": gap.p,
        "p_holm": nan,
        "seeds": own.seeds,
        "sufficient_seeds": own.sufficient,
    }
