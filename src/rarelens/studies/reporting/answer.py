"""The page's first sentences: what holds over a study's comparisons, by its statistics alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pandas as pd

from rarelens.studies.reporting.number_text import words
from rarelens.studies.reporting.results import Results

NAMED = 4
"""Methods that a sentence names, at most."""
NO_CLAIM = "Fewer than three seeds: nothing is claimed; the numbers describe these runs."

R = TypeVar("R", bound=Results)


def significant(rows: pd.DataFrame, level: float) -> pd.Series:
    """Which rows are claims that hold after the correction; what is no claim has no p."""
    return (rows["p_holm"] < level) & rows["sufficient_seeds"].astype(bool)


def differing(
    study: Sequence[R], measure: str, what: str, classes: Callable[[R], Sequence[str]]
) -> str:
    """With which methods a measure differs from the baseline's, and in how many classes.

    Args:
        study: the comparisons.
        measure: its name in the comparison.
        what: the beginning of the sentence: ``Dice of rare classes``.
        classes: those of a comparison that are asked about, or its mean over classes.
    """
    rows = pd.DataFrame(
        {"method": method, **own.entry(method, measure, name)}
        for own in study
        for method in own.others
        for name in classes(own)
    )
    if rows.empty:
        return ""
    held = significant(rows, 1 - study[0].confidence)
    told: list[str] = []
    for side, difference in (("above", 1), ("below", -1)):
        found = rows[held & (difference * rows["baseline_difference"] > 0)]
        counts = found["method"].value_counts(sort=False)
        asked = dict(rows["method"].value_counts())
        named = [
            words(str(method)) + (f" ({count} of {asked[method]})" if asked[method] > 1 else "")
            for method, count in counts.items()
        ]
        if named:
            more = [f"{len(named) - NAMED} more"] if len(named) > NAMED else []
            other = "it" if told else "the baseline's"
            told.append(f"{side} {other} with {listed([*named[:NAMED], *more])}")
    if not told:
        return f"{what} differs significantly from the baseline's with no method."
    return f"{what} is significantly {', and '.join(told)}."


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def many(count: int, name: str) -> str:
    """``1 class``, ``2 classes``."""
    plural = f"{name}es" if name.endswith("s") else f"{name}s"
    return f"{count} {name if count == 1 else plural}"
