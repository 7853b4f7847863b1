"""The study's question: which methods perform alike and are different inside?

Three claims a pair, each one p, which the page's correction then takes in (`engine.corrected`):

- ``performs_alike``: AUROC and average precision, of the mean and of every class, are within the
  margin, by two one-sided tests; all must be, so that the largest p counts (intersection-union),
  and one difference without a p leaves the pair without.
- ``performs_differently``: one of these differences is not 0; the smallest p, times their number.
- ``differs_inside``: a measure of alignment, a count of detectors or concepts, or a measure of
  features differs in any layer; the smallest p, times their number. CKA has no part in it: a few
  seeds allow no test of it, and its noise floor is shown beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite, nan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rarelens.measures.statistics import Estimate, equivalence, equivalent_within
from rarelens.studies.catalogue import with_role
from rarelens.studies.settings.results import Compare

PERFORMANCE = with_role("performance")
INSIDE = tuple(name for role in ("alignment", "concepts", "features") for name in with_role(role))
QUESTIONS = ("performs_alike", "performs_differently", "differs_inside")


class Answer(NamedTuple):
    """What is claimed of a pair; ``performance`` is equivalent, different or undecided.

    A pair that is shown to lie within the margin is equivalent even where a difference is not 0.

    ``within``: the smallest margin within which all differences of performance are equivalent.
    """

    performance: str
    inside: bool
    within: float

    @property
    def hidden(self) -> bool:
        """Whether performance does not show what is different inside."""
        return self.performance == "equivalent" and self.inside


def answers(
    performance: Sequence[Estimate], inside: Sequence[Estimate], settings: Compare
) -> Iterator[dict[str, Any]]:
    """The rows of a pair's claims: ``quantity``, ``p``, ``claim``, and of the first the margins.

    ``value_a``: within which the pair is equivalent, at the level before any correction;
    ``value_b``: the margin that is asked for.

    Args:
        performance: the differences in AUROC and AP, of the mean and of each class that has enough
            positives; one that is not defined stays out.
        inside: the differences in what is inside.
        settings: margin and confidence.
    """
    known = [own for own in performance if isfinite(own.mean)]
    level = 1 - settings.confidence
    within = _largest([equivalent_within(own, level) for own in known])
    alike = _largest([equivalence(own, settings.equivalence) for own in known])
    p = (alike, _smallest(performance), _smallest(inside))
    for name, own in zip(QUESTIONS, p, strict=True):
        tested = {"value_a": within, "value_b": settings.equivalence}
        facts = tested if name == "performs_alike" else {}
        yield {"quantity": name, "p": own, "claim": isfinite(own), **facts}


def answer(rows: pd.DataFrame) -> Answer:
    """Of a pair's rows, after the correction."""
    level = 1 - rows["confidence"].iloc[0]
    alike, apart, inside = (rows[rows["quantity"] == name].iloc[0] for name in QUESTIONS)
    different = "different" if apart["p_holm"] < level else "undecided"
    verdict = "equivalent" if alike["p_holm"] < level else different
    return Answer(verdict, bool(inside["p_holm"] < level), float(alike["value_a"]))


def _largest(values: Sequence[float]) -> float:
    """NaN where any is."""
    return float(np.max(values)) if values else nan


def _smallest(differences: Sequence[Estimate]) -> float:
    """Bonferroni's p of all at once."""
    p = np.array([own.p for own in differences if isfinite(own.p)])
    return float(min(1.0, p.size * p.min())) if p.size else nan
