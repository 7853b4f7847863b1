"""Voxel calibration: does a predicted probability of 0.8 hold in 8 voxels of 10?"""

from __future__ import annotations

import pandas as pd


def calibration_errors(counts: pd.DataFrame) -> pd.DataFrame:
    """Expected calibration error per side and class, over the voxels of all its cases.

    ECE_k = Σ_b |Σ p_k − Σ [y = k]| / N over equal-width bins b of p_k, one class against the
    rest (Naeini et al., AAAI 2015; classwise as in Nixon et al., 2019).

    Args:
        counts: case, side, class, bin, count, sum_confidence, sum_positive.

    Returns:
        side, class, ece; sorted.
    """
    sums = ["count", "sum_confidence", "sum_positive"]
    by_bin = counts.groupby(["side", "class", "bin"], sort=True)[sums].sum()
    by_bin["gap"] = (by_bin["sum_confidence"] - by_bin["sum_positive"]).abs()
    totals = by_bin.groupby(["side", "class"], sort=True)[["gap", "count"]].sum()
    return (totals["gap"] / totals["count"]).rename("ece").reset_index()
