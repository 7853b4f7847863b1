"""Compare the methods of a segmentation study with its baseline, paired by seed and case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.comparison import COMPARISON, comparisons, require_baseline
from rarelens.studies.comparison.engine import compared, tabulated
from rarelens.studies.comparison.segmentation.values import read_values, require_values
from rarelens.studies.settings.results import Compare

KEYS = [*COMPARISON, "method", "class", "rule", "measure"]
COLUMNS = [
    *[*COMPARISON, "method", "baseline", "class", "rule", "measure"],
    *["mean", "sd_over_seeds", "ci_low", "ci_high", "confidence"],
    *["baseline_difference", "difference_low", "difference_high", "p", "p_holm"],
    *["wins", "ties", "losses", "subjects", "seeds", "sufficient_seeds"],
]


def compare(
    cells: Sequence[Cell], analyses: Path, baseline: str, settings: Compare
) -> pd.DataFrame:
    """Means, intervals and the paired difference to the baseline, for every measure.

    A value belongs to a seed and case; both methods must have it to enter the difference. The
    cases of one patient are averaged first, so that intervals, tests, wins and ``subjects`` are of
    patients. Measures that are pooled over subjects (medians, Wasserstein, ECE) have a value per
    seed only: their rows have a difference, ``subjects`` 0 and no interval, p or record. The p of
    Wilcoxon's signed-rank test is corrected by Holm over the methods of one dataset, network,
    fraction, class, rule and measure. Wins mean *better*, as the catalogue of measures says.

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
    require_baseline(cells, baseline)
    require_values(cells, analyses)
    rows = []
    for own in comparisons(sorted(cells)):
        table = read_values(own.cells, analyses)
        classes = list(dict.fromkeys(table["class"]))
        values = tabulated(table, own.methods, SEGMENTATION, settings, classes)
        rows += list(compared(own, values, baseline, settings))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(KEYS, kind="stable", ignore_index=True)
