"""The study's question in one table: alike in performance, and different inside?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from rarelens.studies.comparison.classification.claims import ALIGNMENT, PERFORMANCE
from rarelens.studies.reporting.classification.block import Block
from rarelens.studies.reporting.classification.comparison import enough_seeds
from rarelens.studies.reporting.classification.pairs import Pair
from rarelens.studies.reporting.classification.tables import (
    UNDEFINED,
    Row,
    Table,
    Value,
    defined,
    difference,
)
from rarelens.studies.reporting.wording import FEW_SEEDS, relation, signed, words

NAMES = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "energy_inside": "energy inside",
    "pointing_game": "pointing game",
    "soft_iou": "soft IoU",
    "energy_inside_matched": "energy, matched",
}


SHOWN = (*PERFORMANCE, *ALIGNMENT, "energy_inside_matched")

NOTE = (
    "First method minus second, with interval and p (Holm). Pairs marked by ● and a coloured "
    "edge show no significant difference in AUROC and AP, which does not prove them equal; ◆ "
    "marks pairs that differ inside: in alignment, in detectors or concepts, or in CKA. "
    "Matched: over the maps for which both methods are about equally sure. In small print "
    "beneath CKA that between seeds of the same method, and ↓ where every CKA between the "
    "methods is below it. The numbers of the pairs are those of the figure below."
)


def question(block: Block, pairs: Sequence[Pair]) -> Table:
    """A line a pair, those alike in performance first."""
    layers = block.layers
    return Table(
        "Equal performance, different features?",
        NOTE if enough_seeds(block) else f"{NOTE} {FEW_SEEDS}",
        (("performance", len(PERFORMANCE)), ("alignment", len(SHOWN) - len(PERFORMANCE)),
         *((f"layer {layer}", 3) for layer in layers)),
        (*(NAMES[name] for name in SHOWN), *("detectors", "concepts", "CKA") * len(layers)),
        tuple(_row(block, pair) for pair in pairs),
        wide=True,
    )  # fmt: skip


def _row(block: Block, pair: Pair) -> Row:
    values = [_tested(pair.row(name)) for name in SHOWN]
    for layer in block.layers:
        values += [_counted(pair.row(name, layer)) for name in ("detectors", "unique_concepts")]
        values.append(_likeness(pair.row("cka", layer)))
    marks = ("●" if pair.alike else "") + ("◆" if pair.inside else "")
    names = f"{pair.number}. {words(pair.method_a)} − {words(pair.method_b)} {marks}"
    return Row(names.rstrip(), tuple(values), "alike" if pair.alike else "")


def _tested(row: pd.Series) -> Value:
    text, small = difference(row)
    return Value(text, (*small, *_probability(row)))


def _counted(row: pd.Series) -> Value:
    known = math.isfinite(row["difference"])
    return Value(signed(row["difference"], 1), _probability(row)) if known else Value(UNDEFINED)


def _likeness(row: pd.Series) -> Value:
    mark = " ↓" if row["high"] < 0 else ""
    return Value(defined(row["value_a"], 2) + mark, (f"seeds {defined(row['value_b'], 2)}",))


def _probability(row: pd.Series) -> tuple[str, ...]:
    return (f"p\u00a0{relation(row['p_holm'])}",) if math.isfinite(row["p_holm"]) else ()
