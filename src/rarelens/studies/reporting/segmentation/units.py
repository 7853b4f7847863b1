"""The table of units that detect a rare class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from rarelens.studies.reporting.segmentation.block import Block
from rarelens.studies.reporting.wording import Mean, number, words

SHOWN = (("detectors", 1), ("detectors_beyond_null", 1), ("best_iou", 3))


@dataclass(frozen=True)
class UnitRow:
    """A method's line: the numbers `SHOWN` of each layer in turn, means over seeds."""

    method: str
    baseline: bool
    values: tuple[Mean, ...]


@dataclass(frozen=True)
class UnitTable:
    """All methods whose units were looked into; ``layers`` are names with how many units."""

    layers: tuple[tuple[str, int], ...]
    rows: tuple[UnitRow, ...]


def unit_table(block: Block) -> UnitTable | None:
    """The table of a block; None where nothing was looked into."""
    units = block.units
    if units.empty:
        return None
    sizes = units.drop_duplicates("layer")
    layers = [(str(row["layer"]), int(row["units"])) for _, row in sizes.iterrows()]
    # A post-hoc control changes the logits only, and so has no units of its own.
    methods = [method for method in block.methods if method in set(units["method"])]
    rows = [_row(block, method, [name for name, _ in layers]) for method in methods]
    return UnitTable(tuple(layers), tuple(rows))


def _row(block: Block, method: str, layers: list[str]) -> UnitRow:
    own = block.units[block.units["method"] == method].set_index("layer")
    values = [_mean(own.loc[[layer], name], d) for layer in layers for name, d in SHOWN]
    return UnitRow(words(method), method == block.baseline, tuple(values))


def _mean(seeds: pd.Series, digits: int) -> Mean:
    spread = float(seeds.std())
    text = f"± {spread:.{digits}f}" if math.isfinite(spread) else ""
    return Mean(number(float(seeds.mean()), digits), text)
