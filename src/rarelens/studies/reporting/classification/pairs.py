"""Pairs of methods: do they perform alike, and are they alike inside?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from rarelens.studies.comparison.classification.claims import Answer, answer
from rarelens.studies.reporting.results import FirstRows

ORDER = ("equivalent", "undecided", "different")


@dataclass(frozen=True)
class Pair:
    """Two methods, numbered from 1 as in the table and the figure.

    Attributes:
        rows: quantity, class, layer, value_a, value_b, difference (a − b), low, high, p, p_holm.
        answer: what is claimed of them.
    """

    number: int
    method_a: str
    method_b: str
    rows: pd.DataFrame
    answer: Answer

    def row(self, quantity: str, layer: str = "") -> pd.Series:
        """What is known of one quantity; an empty row where nothing is."""
        return self._first(quantity, layer, "mean")

    @cached_property
    def _first(self) -> FirstRows:
        return FirstRows(self.rows, ("quantity", "layer", "class"))


def pairs_of(table: pd.DataFrame) -> list[Pair]:
    """All pairs; first those equivalent in performance, of these first those different inside.

    Args:
        table: the comparison of pairs, of one dataset, network and fraction.
    """
    found = [
        Pair(0, str(a), str(b), rows, answer(rows))
        for (a, b), rows in table.groupby(["method_a", "method_b"], sort=False)
    ]
    found.sort(key=lambda pair: (ORDER.index(pair.answer.performance), not pair.answer.inside))
    return [replace(pair, number=number) for number, pair in enumerate(found, start=1)]
