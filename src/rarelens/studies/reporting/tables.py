"""Tables of the page: columns are declared, each with what it shows of a row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd

from rarelens.studies.catalogue import Measure, variant_of
from rarelens.studies.reporting.number_text import (
    NONE,
    UNDEFINED,
    interval,
    number,
    probability,
    signed,
    words,
    written,
)
from rarelens.studies.reporting.results import Results


class Value(NamedTuple):
    """What a table's cell says, and lines of small print."""

    text: str
    small: tuple[str, ...] = ()


class Column(NamedTuple):
    """A column; neighbours of one ``group`` stand below its name, which may be empty.

    ``value`` gets what a row is about: a method, say.
    """

    group: str
    heading: str
    value: Callable[[Any], Value]


class Row(NamedTuple):
    """A line; ``tag`` says whether it is the baseline's or a control's, or how it is marked.

    ``method``: whose models its numbers are of; empty if not of one method alone.
    """

    head: str
    values: tuple[Value, ...]
    tag: str = ""
    method: str = ""


@dataclass(frozen=True)
class Table:
    """A table with two rows of headings; ``corner`` is above its lines, ``wide`` if long."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    label: str = ""
    corner: str = ""
    wide: bool = False

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Names, with the number of columns that they span."""
        return [(name, len(list(own))) for name, own in groupby(c.group for c in self.columns)]


def row(head: str, columns: Sequence[Column], about: object, tag: str = "") -> Row:
    """The line of what ``columns`` say about one thing."""
    return Row(head, tuple(column.value(about) for column in columns), tag)


def method_rows(
    results: Results, columns: Sequence[Column], methods: Sequence[str] = ()
) -> Iterator[Row]:
    """A line a method, of all of them unless ``methods`` are named."""
    for method in methods or results.methods:
        tag = "baseline" if method == results.baseline else ""
        yield row(words(method), columns, method, tag)._replace(method=method)


Shown = Callable[[pd.Series, Measure], Value]


@dataclass(frozen=True)
class MethodColumns:
    """Makes columns of methods from the measures of the catalogue.

    Attributes:
        results: what is shown.
        declared: the task's catalogue.
        class_name: of the class, or a mean over classes.
    """

    results: Results
    declared: Mapping[str, Measure]
    class_name: str = "mean"

    def column(
        self, group: str, measure: str, shown: Shown, heading: str = "", **where: str
    ) -> Column:
        """A column of a measure, under its own name unless there is a ``heading``."""
        own = self.declared[measure if measure in self.declared else variant_of(measure)]
        where = {"class_name": self.class_name, **where}

        def value(method: str) -> Value:
            return shown(self.results.entry(method, measure, **where), own)

        return Column(group, heading or own.label, value)

    def against_baseline(self, measure: str, name: str = "") -> list[Column]:
        """Difference and p of the methods; the baseline has none."""
        group = f"{name or self.declared[measure].title} against baseline"

        def others(shown: Shown, heading: str) -> Column:
            made = self.column(group, measure, shown, heading)
            return made._replace(
                value=lambda m: Value(NONE) if m == self.results.baseline else made.value(m)
            )

        return [others(gain, "difference"), others(corrected, "p (Holm)")]


def mean(entry: pd.Series, measure: Measure) -> Value:
    """The mean alone."""
    return Value(written(entry["mean"], measure))


def mean_and_spread(entry: pd.Series, measure: Measure) -> Value:
    """The mean, and its standard deviation over seeds, where there are several."""
    return with_spread(entry["mean"], entry["sd_over_seeds"], measure.digits)


def with_spread(value: float, spread: float, digits: int) -> Value:
    """A number, and how it spreads over seeds."""
    known = math.isfinite(value) and math.isfinite(spread)
    text = number(value, digits) if math.isfinite(value) else UNDEFINED
    return Value(text, (f"± {spread:.{digits}f}",) if known else ())


def mean_and_interval(entry: pd.Series, measure: Measure) -> Value:
    """The mean, and its interval."""
    bounds = interval(entry["ci_low"], entry["ci_high"], measure.digits)
    return Value(written(entry["mean"], measure), (bounds,) if bounds else ())


def gain(entry: pd.Series, measure: Measure) -> Value:
    """The difference to the baseline, and its interval."""
    low, high = entry["difference_low"], entry["difference_high"]
    return difference(entry["baseline_difference"], low, high, measure.digits)


def difference(value: float, low: float, high: float, digits: int) -> Value:
    """A difference, and its interval."""
    if not math.isfinite(value):
        return Value(UNDEFINED)
    bounds = interval(low, high, digits)
    return Value(signed(value, digits), (bounds,) if bounds else ())


def corrected(entry: pd.Series, _: Measure) -> Value:
    """The p of the difference to the baseline, after Holm's correction."""
    return Value(probability(entry["p_holm"]))
