"""Logit shift of one cell: the margins of positives and of negatives, train against test.

The margin is that of a finding (`rarelens.measures.margins`); subjects are patients. Only the
training subset of the cell counts as train.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rarelens.measures.histograms import bin_of
from rarelens.measures.margins import finding_margins
from rarelens.studies.analysis.classification.scores import Scores, read_scores
from rarelens.studies.analysis.shift_tables import margin_histograms, shift_table
from rarelens.studies.settings.classification.stages import AnalyseClassification

BIN_WIDTH = 0.0625  # Of the margins' histograms, in logits.
SIGNS = ("positive", "negative")


def write_shift(
    extract: Path, classes: Sequence[str], target: Path, settings: AnalyseClassification
) -> None:
    """Write ``shift.parquet`` and ``margins.parquet``."""
    margins = margins_of(read_scores(extract), len(classes))
    moments, histograms = _moments(margins), _histograms(margins)
    names = [f"{index} {sign}" for index in range(len(classes)) for sign in SIGNS]
    shift = _signed(shift_table(moments, histograms, names, BIN_WIDTH, settings))
    columns = ["class", "sign", "statistic", "train", "test", "difference", "ci_low", "ci_high"]
    shift[columns].to_parquet(target / "shift.parquet", index=False)
    counts = _signed(margin_histograms(histograms))
    columns = ["side", "class", "sign", "bin", "count"]
    counts[columns].to_parquet(target / "margins.parquet", index=False)


def margins_of(table: pd.DataFrame, classes: int) -> pd.DataFrame:
    """The margin of every known label.

    Args:
        table: a ``scores.parquet``.
        classes: C.

    Returns:
        case (the group), side, class (2c for positives of class c, 2c + 1 for negatives) and
        margin; sorted by class.
    """
    scores = Scores.of(table, classes)
    frames = []
    for index in range(2 * classes):
        label, logits = scores.labels[:, index // 2], scores.logits[:, index // 2]
        own = label == 1 - index % 2
        columns = {
            "case": scores.groups[own],
            "side": table["side"].to_numpy(object)[own],
            "class": index,
            "margin": finding_margins(logits[own], label[own] == 1),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _moments(margins: pd.DataFrame) -> pd.DataFrame:
    columns = margins.assign(
        count=1, sum=margins["margin"], sum_squares=margins["margin"] ** 2,
        negative=margins["margin"] < 0,
    )  # fmt: skip
    sums = ["count", "sum", "sum_squares", "negative"]
    return columns.groupby(["case", "side", "class"], sort=True)[sums].sum().reset_index()


def _histograms(margins: pd.DataFrame) -> pd.DataFrame:
    placed = margins.assign(bin=bin_of(margins["margin"], BIN_WIDTH))
    keys = ["case", "side", "class", "bin"]
    return placed.groupby(keys, sort=True).size().rename("count").reset_index()


def _signed(table: pd.DataFrame) -> pd.DataFrame:
    """Part the combined index into class and sign."""
    sign = np.array(SIGNS, dtype=object)[table["class"] % 2]
    signed = table.assign(sign=sign)
    signed["class"] //= 2
    return signed
