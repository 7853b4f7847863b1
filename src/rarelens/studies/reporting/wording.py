"""Numbers as a reader sees them: text with a sign, an interval, a probability."""

from __future__ import annotations

import math
from typing import NamedTuple

from rarelens.studies.reporting import style

NONE = "–"


class Mean(NamedTuple):
    """A mean, and how it spreads over seeds."""

    mean: str
    spread: str


def number(value: float, digits: int = 3) -> str:
    """``0.512``; a dash where there is no value."""
    return NONE if not math.isfinite(value) else style.signed(value, digits).removeprefix("+")


def signed(value: float, digits: int = 3) -> str:
    """``+0.012`` or ``−0.012``."""
    return NONE if not math.isfinite(value) else style.signed(value, digits)


def interval(low: float, high: float, digits: int = 3) -> str:
    """``−0.012 to +0.034``; empty where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{signed(low, digits)} to {signed(high, digits)}"


def probability(p: float) -> str:
    """``0.034``, or ``< 0.001``."""
    if not math.isfinite(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def relation(p: float) -> str:
    """``= 0.034``, or ``< 0.001``, held together on one line."""
    text = probability(p)
    return (text if text.startswith("<") else f"= {text}").replace(" ", "\u00a0")


def words(name: str) -> str:
    """A method's name as words."""
    return name.replace("_", " ")


FEW_SEEDS = "With fewer than three seeds this describes these runs, and claims nothing."


def no_claim(seeds: int) -> str:
    """The sentence of a study with too few seeds."""
    return (
        f"Only {seeds} seed{'s' if seeds > 1 else ''}; fewer than three seeds: no claim. The "
        "numbers above and in the table describe these runs."
    )
