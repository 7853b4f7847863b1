"""The page's first sentences: what holds over a study's comparisons, by its statistics alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

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
    study: Sequence[R], measure: str, what: str, unit: str, classes: Callable[[R], Sequence[str]]
) -> str:
    """With which methods a measure differs from the baseline's, and how often.

    Args:
        study: the comparisons.
        measure: its name in the comparison.
        what: the beginning of the sentence: ``Dice of rare classes``.
        unit: what is counted, ``rare class`` or ``comparison``.
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
    asked: dict[Any, int] = rows["method"].value_counts(sort=False).to_dict()
    told: list[str] = []
    for side, difference in (("above", 1), ("below", -1)):
        found = rows.loc[held & (difference * rows["baseline_difference"] > 0), "method"]
        named = [
            words(str(method))
            + (f" (in {of(count, asked[method], unit)})" if asked[method] > 1 else "")
            for method, count in found.value_counts(sort=False).items()
        ]
        if named:
            more = [f"{len(named) - NAMED} more"] if len(named) > NAMED else []
            other = "it" if told else "the baseline's"
            told.append(f"{side} {other} with {listed([*named[:NAMED], *more])}")
    if told:
        return f"{what} is significantly {', and '.join(told)}."
    others = (
        words(next(iter(asked))) if len(asked) == 1 else f"any of the {len(asked)} other methods"
    )
    return f"{what} does not differ significantly from the baseline's with {others}."


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def of(count: int, total: int, name: str) -> str:
    """``the class``, ``both classes``, ``2 of the 3 classes``; of none ``any of the 3 classes``.

    Of one thing it is the thing itself; whether it holds of that, or of none, the sentence says.
    """
    if total == 1:
        return f"the {name}"
    if count == total:
        return f"{'both' if total == 2 else f'all {total}'} {plural(name)}"
    some = str(count) if count else "either" if total == 2 else "any"
    return f"{some} of the {total} {plural(name)}"


def holding(does: str, does_not: str, *counts: tuple[int, int, str]) -> str:
    """Of what something holds: ``is below 0 for the rare class, but not for the background``.

    Args:
        does: that it holds: ``is below 0``.
        does_not: that it does not: ``is not below 0``.
        counts: for each kind of thing of how many it holds, how many there are, and their name.
    """
    yes = [f"for {of(*each)}" for each in counts if each[0]]
    no = [f"for {of(*each)}" for each in counts if not each[0]]
    if not yes:
        return f"{does_not} {' or '.join(no)}"
    return f"{does} {listed(yes)}" + "".join(f", but not {text}" for text in no)


def plural(name: str) -> str:
    """``classes``, ``comparisons``."""
    return f"{name}es" if name.endswith("s") else f"{name}s"
