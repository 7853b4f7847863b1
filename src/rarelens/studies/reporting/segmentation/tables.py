"""The tables of the segmentation study: each rare class, and the units that detect one."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

import pandas as pd

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting.number_text import NONE, words, written
from rarelens.studies.reporting.results import first_row
from rarelens.studies.reporting.segmentation.results import SegmentationResults
from rarelens.studies.reporting.tables import (
    Column,
    MethodColumns,
    Table,
    Value,
    corrected,
    difference,
    mean,
    mean_and_interval,
    mean_and_spread,
    method_rows,
    row,
    with_spread,
)

TEST = (
    ("dice", mean_and_spread),
    ("sensitivity", mean_and_spread),
    ("precision", mean_and_spread),
    ("hd95", mean),
    ("missed", mean),
)
# With the baseline, of each class: what is claimed.
COMPARED = ("sensitivity", "dice", "shift_mean")
# Of a layer: heading → number, digits.
UNITS = {
    "detectors": ("detectors", 1),
    "beyond null": ("detectors_beyond_null", 1),
    "best IoU": ("best_iou", 3),
}


def class_table(results: SegmentationResults, class_: int) -> Table:
    """All methods for one class."""
    name = results.classes[class_]
    make = MethodColumns(results, SEGMENTATION, name)
    columns = (
        *(make.column("test subjects", measure, shown) for measure, shown in TEST),
        make.column("test − training", "shift_mean", mean_and_interval, "logit shift"),
        *(column for other in COMPARED for column in make.against_baseline(other)),
    )
    return Table(
        f"{name}: all methods",
        columns,
        tuple(method_rows(results, columns)),
        label=f"Table of methods for {name}",
        corner="method",
    )


def macro_table(results: SegmentationResults) -> Table | None:
    """Means over the rare classes; None where there is only one."""
    names = [results.classes[class_] for class_ in results.rare]
    if len(names) < 2:
        return None
    rows = results.metrics[results.metrics["rule"] == "all"]
    rows = rows[rows["class"].isin(names)]
    columns = tuple(
        Column("mean over classes", SEGMENTATION[name].title, partial(_macro, rows, name))
        for name in ("dice", "sensitivity", "precision", "shift_mean")
    )
    return Table(
        f"All {len(names)} rare classes together",
        columns,
        tuple(method_rows(results, columns)),
        "Means over the rare classes of their means over subjects and seeds; small print: the "
        "lowest and the highest class. They are no claim.",
        label="Table of means over the rare classes",
        corner="method",
    )


def _macro(rows: pd.DataFrame, name: str, method: str) -> Value:
    own = rows.loc[(rows["method"] == method) & (rows["measure"] == name), "mean"].dropna()
    if own.empty:
        return Value(NONE)
    low, middle, high = (
        written(float(value), SEGMENTATION[name]) for value in (own.min(), own.mean(), own.max())
    )
    return Value(middle, (f"{low} to {high}",))


def asymmetry_table(results: SegmentationResults) -> Table | None:
    """Each asymmetric method against its symmetric form; None where there are none."""
    claims = results.pairs[results.pairs["claim"]]
    if claims.empty:
        return None
    measures = [name for name in SEGMENTATION if name in set(claims["measure"])]
    columns = tuple(
        column
        for name in measures
        for column in (
            Column(SEGMENTATION[name].title, "difference", partial(_difference, name)),
            Column(SEGMENTATION[name].title, "p (Holm)", partial(_p, name)),
        )
    )
    rows = tuple(
        row(f"{words(str(method))}, {name}", columns, own)
        for (method, name), own in claims.groupby(["method_b", "class"], sort=False)
    )
    return Table(
        "Asymmetric against symmetric",
        columns,
        rows,
        "Each asymmetric method minus its symmetric form, paired by seed and test subject.",
        label="Table of asymmetric methods against their symmetric forms",
        corner="method, class",
    )


def _difference(name: str, rows: pd.DataFrame) -> Value:
    own = first_row(rows[rows["measure"] == name])
    return difference(own["difference"], own["low"], own["high"], SEGMENTATION[name].digits)


def _p(name: str, rows: pd.DataFrame) -> Value:
    return corrected(first_row(rows[rows["measure"] == name]), SEGMENTATION[name])


def unit_table(results: SegmentationResults) -> Table | None:
    """The units that detect a rare class; None where nothing was looked into."""
    units = results.units
    if units.empty:
        return None
    sizes = units.drop_duplicates("layer").set_index("layer")["units"]
    columns = tuple(
        Column(f"layer {layer} ({size:.0f} units)", heading, partial(_units, units, layer, *shown))
        for layer, size in sizes.items()
        for heading, shown in UNITS.items()
    )
    # A post-hoc control changes the logits only, and so has no units of its own.
    methods = [method for method in results.methods if method in set(units["method"])]
    return Table(
        "Units that detect a rare class",
        columns,
        tuple(method_rows(results, columns, methods)),
        "On patches of the test subjects, the same ones for all methods; mean over seeds, "
        "± their standard deviation. Post-hoc controls have the units of their base.",
        label="Table of units that detect a rare class",
        corner="method",
    )


def _units(units: pd.DataFrame, layer: Hashable, name: str, digits: int, method: str) -> Value:
    seeds = units.loc[(units["method"] == method) & (units["layer"] == layer), name]
    return with_spread(float(seeds.mean()), float(seeds.std()), digits)
