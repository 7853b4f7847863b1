"""The study's question in one table: equivalent in performance, and different inside?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from rarelens.studies.catalogue import CLASSIFICATION, PAIRS, with_role
from rarelens.studies.reporting.classification.pairs import Pair
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.number_text import (
    FEW_SEEDS,
    UNDEFINED,
    number,
    relation,
    words,
    written,
)
from rarelens.studies.reporting.tables import Column, Table, Value, difference, row

NAMES = {name: measure.title for name, measure in {**CLASSIFICATION, **PAIRS}.items()}
NOTE = (
    "First method minus second, with interval. Performance: equivalent where AUROC and AP, in the "
    "mean and in every class with enough positives, lie within ±{margin} by two one-sided tests; "
    "different where one of them differs; else undecided. Beneath stands the smallest margin "
    "within which the pair is equivalent, before correction. Different inside: one claim a pair, "
    "over alignment, units and features of all layers. All claims of this page are corrected "
    "together (Holm). Matched: over the maps for which both methods are about equally sure. In "
    "small print beneath CKA that between seeds of the same method, which makes no claim. The "
    "numbers of the pairs are those of the figure below."
)


def question(results: ClassificationResults) -> Table:
    """A line a pair, those equivalent in performance first."""
    columns = tuple(_columns(results.layers))
    note = NOTE.format(margin=f"{results.margin:g}")
    return Table(
        "Equal performance, different features?",
        columns,
        tuple(
            row(_head(pair), columns, pair, "alike" if pair.answer.hidden else "")
            for pair in results.pairs
        ),
        note if results.enough_seeds("auroc", ["mean"]) else f"{note} {FEW_SEEDS}",
        wide=True,
    )


def _columns(layers: tuple[str, ...]) -> Iterator[Column]:
    yield Column("claims", "performance", _performance)
    yield Column("claims", "inside", _inside)
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
    return f"{pair.number}. {words(pair.method_a)} − {words(pair.method_b)}"


def _performance(pair: Pair) -> Value:
    within = f"within ±{number(pair.answer.within)}"
    known = math.isfinite(pair.answer.within)
    return Value(pair.answer.performance, (within,) if known else ())


def _inside(pair: Pair) -> Value:
    found = pair.row("differs_inside")
    p = (relation(found["p_holm"]),) if math.isfinite(found["p_holm"]) else ()
    return Value("different" if pair.answer.inside else "undecided", p)


def _tested(name: str, pair: Pair) -> Value:
    found = pair.row(name)
    return Value(*difference(found["difference"], found["low"], found["high"], 3))


def _counted(name: str, layer: str, pair: Pair) -> Value:
    found = pair.row(name, layer)
    if not math.isfinite(found["difference"]):
        return Value(UNDEFINED)
    return Value(*difference(found["difference"], found["low"], found["high"], 1))


def _cka(layer: str, pair: Pair) -> Value:
    found = pair.row("cka", layer)
    between, seeds = (written(found[name], PAIRS["cka"]) for name in ("value_a", "value_b"))
    return Value(between, (f"seeds {seeds}",))
