"""Compare the methods of a segmentation study with its baseline, paired by seed and subject."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rarelens.errors import RarelensError
from rarelens.measures.statistics import paired as statistics
from rarelens.measures.statistics.paired import Array
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.analyses import STUDY
from rarelens.studies.comparison.segmentation.values import read_values
from rarelens.studies.files import write_json, write_text
from rarelens.studies.settings.results import Compare

ENOUGH_SEEDS = 3
FAMILY = [*STUDY, "class_index", "class", "rule", "measure"]
ORDER = [*STUDY, "method", "class_index", "rule", "measure"]
KEYS = [*STUDY, "method", "class", "rule", "measure"]
COLUMNS = [
    *[*STUDY, "method", "baseline", "class", "rule", "measure"],
    *["mean", "sd_over_seeds", "ci_low", "ci_high", "confidence"],
    *["baseline_difference", "difference_low", "difference_high", "p", "p_holm"],
    *["wins", "ties", "losses", "subjects", "seeds", "sufficient_seeds"],
]
MAIN = (
    "dice",
    "sensitivity",
    "precision",
    "hd95",
    "missed",
    "shift_mean",
    "negative_fraction_train",
    "negative_fraction_test",
    "ece_test",
)
# What "better" means: larger, or closer to a value. Wins and losses rest on it.
LARGER = {"dice", "sensitivity", "precision", "specificity", "surface_dice"}
LARGER |= {"margin_train", "margin_test"}
CLOSE_TO_ONE = {"volume_ratio"}


def compare(
    cells: Sequence[Cell], analyses: Path, baseline: str, settings: Compare
) -> pd.DataFrame:
    """Means, intervals and the paired difference to the baseline, for every measure.

    A value belongs to a (seed, subject); both methods must have it to enter the difference.
    Measures that are pooled over subjects (medians, Wasserstein, ECE) have a value per seed
    only: their rows have a difference, ``subjects`` 0 and no interval, p or record. The p of
    Wilcoxon's signed-rank test is corrected by Holm over the methods of one dataset, network,
    fraction, class, rule and measure. Wins mean *better*: larger overlap, smaller distance or
    share of errors, a volume ratio closer to 1, a shift closer to 0.

    Args:
        cells: the study's models, in any order.
        analyses: the folder above ``<task>/<cell>``.
        baseline: the method that the others are compared with.
        settings: number of bootstrap draws, confidence, seed.

    Returns:
        One row for each dataset, network, fraction, method, class, rule and measure, without
        case ids, in an order that does not depend on that of ``cells``; none without cells, of a
        study that is switched off.

    Raises:
        RarelensError: if an analysis is missing, or the baseline is not among the cells.
    """
    cells = sorted(cells)
    if not cells:
        return pd.DataFrame(columns=COLUMNS)
    if baseline not in {cell.method for cell in cells}:
        raise RarelensError(
            f"baseline {baseline!r} is not among the study's methods; add it to study.*.methods"
        )
    values = read_values(cells, analyses)
    rows: list[dict[str, Any]] = []
    for names, family in values.groupby(FAMILY, sort=True):
        rows += _family(dict(zip(FAMILY, names, strict=True)), family, baseline, settings)
    table = pd.DataFrame(rows).sort_values(ORDER, kind="stable", ignore_index=True)
    return table[COLUMNS]


def write_metrics(table: pd.DataFrame, json: Path, csv: Path) -> None:
    """Write the table as CSV, and the means of the main measures as nested JSON.

    The JSON has the levels dataset, network, fraction, method, class, measure, for
    ``dvc metrics diff``; a mean that is not defined is left out. Both files' bytes depend on
    the table's content alone.
    """
    ordered = table.sort_values(KEYS, kind="stable", ignore_index=True)
    write_text(csv, ordered.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    tree: dict[str, Any] = {}
    main = ordered[(ordered["rule"] == "all") & ordered["measure"].isin(MAIN)]
    for row in main[np.isfinite(main["mean"].astype(float))].to_dict("records"):
        node = tree
        for level in (*STUDY, "method", "class"):
            node = node.setdefault(str(row[level]), {})
        node[row["measure"]] = float(f"{row['mean']:.6g}")
    write_json(json, tree)


def read_metrics(csv: Path) -> pd.DataFrame:
    """Read the table that `write_metrics` wrote.

    Raises:
        RarelensError: if there is none.
    """
    if not csv.is_file():
        raise RarelensError(f"{csv}: no such file; run stage compare first (dvc repro)")
    text = dict.fromkeys((*KEYS, "baseline"), str)
    return pd.read_csv(csv, dtype=text, keep_default_na=False, na_values=[""])


def _family(
    names: dict[str, Any], family: pd.DataFrame, baseline: str, settings: Compare
) -> list[dict[str, Any]]:
    """The rows of all methods for one measure, with Holm's correction over them."""
    pooled = bool((family["subject"] == "").all())
    arrays = _arrays(family)
    rows = []
    for method in sorted(arrays):
        row = {**names, "method": method, "baseline": baseline}
        row |= _own(arrays[method], pooled, settings)
        reference = None if method == baseline else arrays.get(baseline)
        row |= _against(arrays[method], reference, names["measure"], pooled, settings)
        rows.append(row)
    corrected = statistics.holm(np.array([row["p"] for row in rows], dtype=float))
    for row, p in zip(rows, corrected, strict=True):
        row["p_holm"] = float(p)
    return rows


def _arrays(family: pd.DataFrame) -> dict[str, Array]:
    """Per method an array (seeds, subjects); the same seeds and subjects for all methods."""
    seeds = sorted(family["seed"].unique())
    subjects = sorted(family["subject"].unique())
    arrays: dict[str, Array] = {}
    for method, rows in family.groupby("method"):
        # Not pivot_table, which would average a subject that stands there twice.
        square = rows.pivot(index="seed", columns="subject", values="value")  # noqa: PD010
        square = square.reindex(index=seeds, columns=subjects)
        arrays[str(method)] = square.to_numpy(dtype=np.float64)
    return arrays


def _own(values: Array, pooled: bool, settings: Compare) -> dict[str, Any]:
    """A method's own mean, spread over seeds and interval."""
    by_seed = statistics.seed_means(values)
    by_seed = by_seed[np.isfinite(by_seed)]
    interval = _interval(values, pooled, settings)
    return {
        "mean": interval.mean,
        "sd_over_seeds": float(by_seed.std(ddof=1)) if by_seed.size > 1 else np.nan,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "confidence": settings.confidence,
        "subjects": 0 if pooled else int(np.isfinite(values).any(axis=0).sum()),
        "seeds": int(by_seed.size),
        "sufficient_seeds": bool(by_seed.size >= ENOUGH_SEEDS),
    }


def _against(
    values: Array, reference: Array | None, measure: str, pooled: bool, settings: Compare
) -> dict[str, Any]:
    """The paired difference of a method to the baseline; empty for the baseline itself."""
    differences = np.full(values.shape, np.nan) if reference is None else values - reference
    interval = _interval(differences, pooled, settings)
    result: dict[str, Any] = {
        "baseline_difference": interval.mean,
        "difference_low": interval.low,
        "difference_high": interval.high,
        "p": np.nan,
        "wins": 0,
        "ties": 0,
        "losses": 0,
    }
    if reference is None or pooled:
        return result
    result["p"] = statistics.signed_rank(statistics.subject_means(differences))
    gains = statistics.subject_means(_goodness(values, measure) - _goodness(reference, measure))
    return result | statistics.record(gains)._asdict()


def _interval(values: Array, pooled: bool, settings: Compare) -> statistics.Interval:
    if pooled:
        return statistics.Interval(statistics.mean_over_seeds(values), np.nan, np.nan)
    return statistics.hierarchical_bootstrap(
        values, settings.bootstrap, settings.confidence, settings.seed
    )


def _goodness(values: Array, measure: str) -> Array:
    """The larger, the better: see `compare`. Shift counts by its size, whatever its direction."""
    if measure in LARGER:
        return values
    if measure in CLOSE_TO_ONE:
        return -np.abs(values - 1)
    return -np.abs(values)
