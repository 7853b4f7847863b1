"""The tables of the classification study: performance, alignment, what is inside, each class."""

from __future__ import annotations

from collections.abc import Iterator

from rarelens.studies.catalogue import CLASSIFICATION, with_role
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.number_text import NONE, words
from rarelens.studies.reporting.tables import (
    Column,
    MethodColumns,
    Row,
    Table,
    Value,
    mean,
    mean_and_spread,
    method_rows,
    row,
)

UNITS = {
    "detectors": "detectors",
    "detectors_beyond_null": "beyond null",
    "unique_concepts": "unique concepts",
    "dead_units": "dead",
}
CONTROLS = ("centre", "uniform")


def tables(results: ClassificationResults) -> list[Table]:
    """In the order of the page."""
    make = MethodColumns(results, CLASSIFICATION)
    return [
        _performance(make),
        _alignment(results, make),
        _inside(results, make),
        _classes(results),
    ]


def _performance(make: MethodColumns) -> Table:
    columns = (
        make.column("mean", "auroc", mean_and_spread),
        make.column("mean", "average_precision", mean_and_spread),
        *(
            make.column(
                "AP of classes", "average_precision", mean_and_spread, group, class_name=group
            )
            for group in ("head", "mid", "tail")
        ),
        make.column("", "average_precision_over_prevalence", mean_and_spread),
        make.column("ECE", "ece", mean_and_spread, "before"),
        make.column("ECE", "ece_calibrated", mean_and_spread, "calibrated"),
        *make.against_baseline("auroc"),
        *make.against_baseline("average_precision"),
    )
    return Table(
        "What the methods predict",
        columns,
        tuple(method_rows(make.results, columns)),
        "Means over classes, on test images; ± is the standard deviation over seeds.",
    )


def _alignment(results: ClassificationResults, make: MethodColumns) -> Table:
    measures = with_role("alignment")

    def aligned(measure: str) -> Iterator[Column]:
        title = CLASSIFICATION[measure].title
        yield make.column(title, measure, mean_and_spread, "model")
        yield make.column(title, f"{measure}_random_weights", mean, "random weights")

    def control(name: str) -> Row:
        # These maps know nothing of the network: every method has the same.
        own = [make.column("", f"{measure}_{name}", mean) for measure in measures]
        shown = [value for c in own for value in (c.value(results.baseline), Value(NONE))]
        return Row(f"{name} map", (*shown, *[Value(NONE)] * 3), "control")

    columns = (
        *(column for measure in measures for column in aligned(measure)),
        *make.against_baseline("energy_inside"),
        Column("", "maps that are 0", lambda method: Value(f"{results.zero_maps[method]:.1%}")),
    )
    return Table(
        f"Where the saliency maps look ({words(results.saliency)})",
        columns,
        (*method_rows(results, columns), *(control(name) for name in CONTROLS)),
        "Means over classes, of the test images with a region of the finding. A number says "
        "something only beside that of the same network with random weights, of a blob at the "
        "centre, and of a map that is the same everywhere.",
    )


def _inside(results: ClassificationResults, make: MethodColumns) -> Table:
    last = results.layers[-1]
    columns = (
        *(
            make.column(f"layer {layer}", measure, mean, heading, layer=layer)
            for layer in results.layers
            for measure, heading in UNITS.items()
        ),
        *(
            make.column("features", measure, mean_and_spread, layer=last)
            for measure in with_role("features")
        ),
    )
    return Table(
        "What is inside",
        columns,
        tuple(method_rows(results, columns)),
        "Units that detect a finding, by the rule of network dissection and beyond the "
        "permutation null; how many findings have a detector; dead units, whose threshold is 0 "
        f"(mean over seeds). Effective rank and linear probe are those of layer {last}.",
    )


def _classes(results: ClassificationResults) -> Table:
    def predicted(method: str) -> Column:
        def value(class_: int) -> Value:
            def shown(measure: str) -> str:
                entry = results.entry(method, measure, results.classes[class_])
                return mean(entry, CLASSIFICATION[measure]).text

            return Value(shown("average_precision"), (f"AUROC {shown('auroc')}",))

        return Column("average precision", words(method), value)

    named = ", ".join(words(results.classes[c]) for c in results.by_frequency if results.few(c))
    few = (
        f" In too few test patients for an interval or a part in a pair's answer: {named}."
        if named
        else ""
    )
    columns = (
        Column("", "prevalence", lambda class_: Value(results.prevalence_text(class_))),
        *(predicted(method) for method in results.methods),
    )
    return Table(
        "Each class",
        columns,
        tuple(row(words(results.classes[c]), columns, c) for c in results.by_frequency),
        "Average precision on test images, and in small print AUROC. Undefined: the test images "
        f"are all positive or all negative.{few}",
    )
