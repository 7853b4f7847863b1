"""The study's question in one table: alike in performance, and different inside?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import pandas as pd

from rarelens.studies.catalogue import CLASSIFICATION, PAIRS, with_role
from rarelens.studies.reporting.classification.pairs import Pair
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.number_text import (
    FEW_SEEDS,
    UNDEFINED,
    relation,
    signed,
    words,
    written,
)
from rarelens.studies.reporting.tables import Column, Table, Value, difference, row

NAMES = {name: measure.title for name, measure in {**CLASSIFICATION, **PAIRS}.items()}
NOTE = (
    "First method minus second, with interval and p (Holm). Pairs marked by ● and a coloured "
    "edge show no significant difference in AUROC and AP, which does not prove them equal; ◆ "
    "marks pairs that differ inside: in alignment, in detectors or concepts, or in CKA. "
    "Matched: over the maps for which both methods are about equally sure. In small print "
    "beneath CKA that between seeds of the same method, and ↓ where every CKA between the "
    "methods is below it. The numbers of the pairs are those of the figure below."
)


def question(results: ClassificationResults) -> Table:
    """A line a pair, those alike in performance first."""
    columns = tuple(_columns(results.layers))
    return Table(
        "Equal performance, different features?",
        columns,
        tuple(
            row(_head(pair), columns, pair, "alike" if pair.alike else "") for pair in results.pairs
        ),
        NOTE if results.enough_seeds("auroc", ["mean"]) else f"{NOTE} {FEW_SEEDS}",
        wide=True,
    )


def _columns(layers: tuple[str, ...]) -> Iterator[Column]:
    for name in with_role("performance"):
        yield Column("performance", NAMES[name], partial(_tested, name))
    for name in (*with_role("alignment"), "energy_inside_matched"):
        yield Column("alignment", NAMES[name], partial(_tested, name))
    for layer in layers:
        group = f"layer {layer}"
        yield Column(group, "detectors", partial(_counted, "detectors", layer))
        yield Column(group, "concepts", partial(_counted, "unique_concepts", layer))
        yield Column(group, "CKA", partial(_cka, layer))


def _head(pair: Pair) -> str:
    marks = ("●" if pair.alike else "") + ("◆" if pair.inside else "")
    return f"{pair.number}. {words(pair.method_a)} − {words(pair.method_b)} {marks}".rstrip()


def _tested(name: str, pair: Pair) -> Value:
    found = pair.row(name)
    text, small = difference(found["difference"], found["low"], found["high"], 3)
    return Value(text, (*small, *_probability(found)))


def _counted(name: str, layer: str, pair: Pair) -> Value:
    found = pair.row(name, layer)
    if not math.isfinite(found["difference"]):
        return Value(UNDEFINED)
    return Value(signed(found["difference"], 1), _probability(found))


def _cka(layer: str, pair: Pair) -> Value:
    found = pair.row("cka", layer)
    between, seeds = (written(found[name], PAIRS["cka"]) for name in ("value_a", "value_b"))
    return Value(between + (" ↓" if found["high"] < 0 else ""), (f"seeds {seeds}",))


def _probability(found: pd.Series) -> tuple[str, ...]:
    return (relation(found["p_holm"]),) if math.isfinite(found["p_holm"]) else ()
