"""Pairs of methods: alike in performance, or not, and how far apart they are inside."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from rarelens.studies.comparison.classification.claims import claims
from rarelens.studies.reporting.results import first_row


@dataclass(frozen=True)
class Pair:
    """Two methods, numbered from 1 as in the table and the figure.

    Attributes:
        rows: quantity, class, layer, value_a, value_b, difference (a − b), low, high, p, p_holm.
        alike: neither AUROC nor average precision differs significantly.
        alignment, concepts, features: which of them differ.
    """

    number: int
    method_a: str
    method_b: str
    rows: pd.DataFrame
    alike: bool
    alignment: bool
    concepts: bool
    features: bool

    @property
    def inside(self) -> bool:
        """Whether anything inside differs."""
        return self.alignment or self.concepts or self.features

    def row(self, quantity: str, layer: str = "") -> pd.Series:
        """What is known of one quantity; an empty row where nothing is."""
        own = self.rows[(self.rows["quantity"] == quantity) & (self.rows["layer"] == layer)]
        return first_row(own[own["class"] == "mean"])


def pairs_of(table: pd.DataFrame) -> list[Pair]:
    """All pairs; first those alike in performance, of these first those that differ inside.

    Args:
        table: the comparison of pairs, of one dataset, network and fraction.
    """
    found = []
    for answer in claims(table).to_dict("records"):
        a, b = answer["method_a"], answer["method_b"]
        rows = table[(table["method_a"] == a) & (table["method_b"] == b)]
        alike, alignment = answer["same_performance"], answer["alignment_differs"]
        concepts, features = answer["concepts_differ"], answer["cka_differs"]
        found.append(Pair(0, a, b, rows, alike, alignment, concepts, features))
    found.sort(key=lambda pair: (not pair.alike, not pair.alignment, not pair.inside))
    return [replace(pair, number=number) for number, pair in enumerate(found, start=1)]
