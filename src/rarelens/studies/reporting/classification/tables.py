"""The tables of a block: performance, alignment and what is inside, each with all methods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from rarelens.studies.comparison.classification.claims import ALIGNMENT
from rarelens.studies.reporting.classification.block import Block
from rarelens.studies.reporting.classification.comparison import entry
from rarelens.studies.reporting.wording import NONE, interval, number, probability, signed, words

UNDEFINED = "undefined"
PERFORMANCE = (
    ("auroc", "mean", 3),
    ("average_precision", "mean", 3),
    ("average_precision", "head", 3),
    ("average_precision", "mid", 3),
    ("average_precision", "tail", 3),
    ("average_precision_over_prevalence", "mean", 2),
    ("ece", "mean", 3),
    ("ece_calibrated", "mean", 3),
)
UNITS = ("detectors", "detectors_beyond_null", "unique_concepts", "dead_units")
CONTROLS = ("centre", "uniform")


class Value(NamedTuple):
    """What a table's cell says, and lines of small print."""

    text: str
    small: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A line; ``tag`` says whether it is the baseline's or a control."""

    head: str
    values: tuple[Value, ...]
    tag: str = ""


@dataclass(frozen=True)
class Table:
    """A table with two rows of headings; ``groups`` are names with the columns they span.

    ``wide``: its lines have long names.
    """

    title: str
    note: str
    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    wide: bool = False


def tables(block: Block) -> list[Table]:
    """In the order of the page."""
    return [_performance(block), _alignment(block), _inside(block), _classes(block)]


def defined(value: float, digits: int = 3) -> str:
    """The number, or that there is none."""
    return number(value, digits) if math.isfinite(value) else UNDEFINED


def difference(row: pd.Series) -> Value:
    """A difference with its interval."""
    if not math.isfinite(row["difference"]):
        return Value(UNDEFINED)
    bounds = interval(row["low"], row["high"])
    return Value(signed(row["difference"]), (bounds,) if bounds else ())


def _performance(block: Block) -> Table:
    def row(method: str) -> Row:
        values = [_mean(entry(block, method, m, name), digits) for m, name, digits in PERFORMANCE]
        for measure in ("auroc", "average_precision"):
            values += _gain(block, method, measure)
        return _row(block, method, values)

    return Table(
        "What the methods predict",
        "Means over classes, on test images; ± is the standard deviation over seeds.",
        (("mean", 2), ("AP of classes", 3), ("", 1), ("ECE", 2), ("AUROC against baseline", 2),
         ("AP against baseline", 2)),
        ("AUROC", "AP", "head", "mid", "tail", "AP / prevalence", "before", "calibrated",
         "difference", "p (Holm)", "difference", "p (Holm)"),
        tuple(row(method) for method in block.methods),
    )  # fmt: skip


def _alignment(block: Block) -> Table:
    def row(method: str) -> Row:
        values = []
        for measure in ALIGNMENT:
            values.append(_mean(entry(block, method, measure)))
            random = entry(block, method, f"{measure}_random_weights")
            values.append(Value(defined(random["mean"])))
        values += _gain(block, method, "energy_inside")
        values.append(Value(f"{block.zero_maps[method]:.1%}"))
        return _row(block, method, values)

    def control(name: str) -> Row:
        # These maps know nothing of the network: every method has the same.
        values = []
        for measure in ALIGNMENT:
            own = entry(block, block.baseline, f"{measure}_{name}")
            values += [Value(defined(own["mean"])), Value(NONE)]
        return Row(f"{name} map", (*values, *[Value(NONE)] * 3), "control")

    return Table(
        f"Where the saliency maps look ({words(block.saliency)})",
        "Means over classes, of the test images with a region of the finding. A number says "
        "something only beside that of the same network with random weights, of a blob at the "
        "centre, and of a map that is the same everywhere.",
        (("energy inside", 2), ("pointing game", 2), ("soft IoU", 2),
         ("energy inside against baseline", 2), ("", 1)),
        (*("model", "random weights") * 3, "difference", "p (Holm)", "maps that are 0"),
        (*(row(method) for method in block.methods), *(control(name) for name in CONTROLS)),
    )  # fmt: skip


def _inside(block: Block) -> Table:
    def row(method: str) -> Row:
        values = []
        for layer in block.layers:
            values += [
                Value(defined(entry(block, method, measure, layer=layer)["mean"], 1))
                for measure in UNITS
            ]
        last = block.layers[-1]
        values.append(_mean(entry(block, method, "effective_rank", layer=last), 1))
        values.append(_mean(entry(block, method, "linear_probe_auroc", layer=last)))
        return _row(block, method, values)

    return Table(
        "What is inside",
        "Units that detect a finding, by the rule of network dissection and beyond the "
        "permutation null; how many findings have a detector; dead units, whose threshold is 0 "
        "(mean over seeds). "
        f"Effective rank and linear probe are those of layer {block.layers[-1]}.",
        (*((f"layer {layer}", 4) for layer in block.layers), ("features", 2)),
        (*("detectors", "beyond null", "unique concepts", "dead") * len(block.layers),
         "effective rank", "linear probe AUROC"),
        tuple(row(method) for method in block.methods),
    )  # fmt: skip


def _classes(block: Block) -> Table:
    def row(class_: int) -> Row:
        name = block.classes[class_]
        values = [Value(block.share(class_))]
        for method in block.methods:
            precision = defined(entry(block, method, "average_precision", name)["mean"])
            area = defined(entry(block, method, "auroc", name)["mean"])
            values.append(Value(precision, (f"AUROC {area}",)))
        return Row(words(name), tuple(values))

    return Table(
        "Each class",
        "Average precision on test images, and in small print AUROC. Undefined: the test images "
        "are all positive or all negative.",
        (("", 1), ("average precision", len(block.methods))),
        ("prevalence", *(words(method) for method in block.methods)),
        tuple(row(class_) for class_ in block.order),
    )


def _row(block: Block, method: str, values: Sequence[Value]) -> Row:
    return Row(words(method), tuple(values), "baseline" if method == block.baseline else "")


def _mean(row: pd.Series, digits: int = 3) -> Value:
    spread = row["sd_over_seeds"]
    known = math.isfinite(spread) and math.isfinite(row["mean"]) and row["seeds"] > 1
    return Value(defined(row["mean"], digits), (f"± {spread:.{digits}f}",) if known else ())


def _gain(block: Block, method: str, measure: str) -> tuple[Value, Value]:
    if method == block.baseline:
        return Value(NONE), Value(NONE)
    names = {
        "baseline_difference": "difference",
        "difference_low": "low",
        "difference_high": "high",
    }
    own = entry(block, method, measure).rename(names)
    return difference(own), Value(probability(own["p_holm"]))
