"""Numbers as a reader sees them: text with a sign, an interval, a probability."""

from __future__ import annotations

import math

from rarelens.studies.catalogue import Measure

# Where a number does not apply; one that could be there but does not exist is undefined.
NONE = "–"
UNDEFINED = "undefined"
FEW_SEEDS = "With fewer than three seeds this describes these runs, and claims nothing."


def signed(value: float, digits: int = 3) -> str:
    """``+0.12`` or ``−0.12``; no sign where it rounds to zero, a dash where there is no value."""
    if not math.isfinite(value):
        return NONE
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def number(value: float, digits: int = 3) -> str:
    """``0.512``; a dash where there is no value."""
    return signed(value, digits).removeprefix("+")


def written(value: float, measure: Measure) -> str:
    """A value of a measure, as the catalogue says; or that it is undefined."""
    if not math.isfinite(value):
        return UNDEFINED
    if measure.percent:
        return f"{value:.{measure.digits}%}"
    return (signed if measure.signed else number)(value, measure.digits)


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
    """``p = 0.034``, or ``p < 0.001``, held together on one line."""
    text = probability(p)
    return f"p {text if text.startswith('<') else f'= {text}'}".replace(" ", "\u00a0")


def words(name: str) -> str:
    """A method's name as words."""
    return name.replace("_", " ")
