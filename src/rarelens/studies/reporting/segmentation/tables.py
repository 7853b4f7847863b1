"""Numbers of a comparison as a reader sees them: text with a sign, an interval, a count."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from rarelens.studies.reporting.segmentation.block import Block
from rarelens.studies.reporting.segmentation.figures.margins import shown_classes
from rarelens.studies.reporting.wording import (
    NONE,
    Mean,
    interval,
    number,
    probability,
    signed,
    words,
)


@dataclass(frozen=True)
class Row:
    """A method's line in the table of a class; the baseline has no differences."""

    method: str
    baseline: bool
    dice: Mean
    sensitivity: Mean
    precision: Mean
    hd95: str
    missed: str
    shift: str
    shift_interval: str
    gain: str
    gain_interval: str
    gain_p: str
    gain_record: str
    shift_gain: str
    shift_gain_interval: str
    shift_gain_p: str


@dataclass(frozen=True)
class Table:
    """All methods for one rare class."""

    class_name: str
    rows: tuple[Row, ...]


def tables(block: Block) -> list[Table]:
    """One table for each rare class of a block."""
    return [
        Table(
            block.classes[class_],
            tuple(_row(block, block.classes[class_], method) for method in block.methods),
        )
        for class_ in shown_classes(block)
        if class_
    ]


def entry(block: Block, class_name: str, method: str, measure: str) -> pd.Series:
    """The comparison's row for one number; an empty row where it is not defined."""
    rows = block.metrics
    rows = rows[(rows["class"] == class_name) & (rows["method"] == method)]
    rows = rows[(rows["measure"] == measure) & (rows["rule"] == "all")]
    return rows.iloc[0] if len(rows) else pd.Series(float("nan"), index=block.metrics.columns)


def _row(block: Block, class_name: str, method: str) -> Row:
    dice, sensitivity, precision, hd95, missed, shift = (
        entry(block, class_name, method, measure)
        for measure in ("dice", "sensitivity", "precision", "hd95", "missed", "shift_mean")
    )
    baseline = method == block.baseline
    return Row(
        method=words(method),
        baseline=baseline,
        dice=_spread(dice),
        sensitivity=_spread(sensitivity),
        precision=_spread(precision),
        hd95=number(hd95["mean"], 1),
        missed=NONE if not math.isfinite(missed["mean"]) else f"{missed['mean']:.0%}",
        shift=signed(shift["mean"], 2),
        shift_interval=interval(shift["ci_low"], shift["ci_high"], 2),
        gain=signed(dice["baseline_difference"]),
        gain_interval=interval(dice["difference_low"], dice["difference_high"]),
        gain_p=probability(dice["p_holm"]),
        gain_record=NONE
        if not math.isfinite(dice["p"])
        else f"{dice['wins']}/{dice['ties']}/{dice['losses']}",
        shift_gain=signed(shift["baseline_difference"], 2),
        shift_gain_interval=interval(shift["difference_low"], shift["difference_high"], 2),
        shift_gain_p=probability(shift["p_holm"]),
    )


def _spread(row: pd.Series) -> Mean:
    spread = row["sd_over_seeds"]
    return Mean(number(row["mean"]), f"± {spread:.3f}" if math.isfinite(spread) else "")
