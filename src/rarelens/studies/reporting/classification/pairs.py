"""Pairs of methods: alike in performance, or not, and how far apart they are inside."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from rarelens.studies.comparison.classification.claims import claims
from rarelens.studies.reporting.classification.block import Block


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
        own = own[own["class"] == "mean"]
        return own.iloc[0] if len(own) else pd.Series(float("nan"), index=self.rows.columns)


def pairs(block: Block) -> list[Pair]:
    """All pairs; first those alike in performance, of these first those that differ inside."""
    found = []
    for answer in claims(block.pairs).to_dict("records"):
        a, b = answer["method_a"], answer["method_b"]
        rows = block.pairs[(block.pairs["method_a"] == a) & (block.pairs["method_b"] == b)]
        found.append(
            Pair(
                number=0,
                method_a=a,
                method_b=b,
                rows=rows,
                alike=answer["same_performance"],
                alignment=answer["alignment_differs"],
                concepts=answer["concepts_differ"],
                features=answer["cka_differs"],
            )
        )
    found.sort(key=lambda pair: (not pair.alike, not pair.alignment, not pair.inside))
    return [replace(pair, number=number) for number, pair in enumerate(found, start=1)]
