"""Every measure of a comparison, declared once: for the tests, the metrics and the report.

What is not declared is not compared: a new measure is a column or row of an analysis, an entry in
its task's half of this package, and, where it shall be drawn, a figure.
"""

from __future__ import annotations

from collections.abc import Mapping

from rarelens.studies.catalogue.classification import CLASSIFICATION, PAIRS
from rarelens.studies.catalogue.measure import DETECTOR, Measure, Term
from rarelens.studies.catalogue.segmentation import SEGMENTATION

__all__ = [
    "CATALOGUE",
    "CLASSIFICATION",
    "DETECTOR",
    "PAIRS",
    "SEGMENTATION",
    "SUMMARY",
    "Measure",
    "Term",
    "glossary",
    "variant_of",
    "with_role",
]

CATALOGUE: Mapping[str, Mapping[str, Measure]] = {
    "segmentation": SEGMENTATION,
    "classification": CLASSIFICATION,
}
# What ``dvc metrics`` shows of each method: over rare classes, or over all of a classifier.
SUMMARY: Mapping[str, tuple[str, ...]] = {
    "segmentation": ("dice", "sensitivity", "shift_mean"),
    "classification": ("auroc", "average_precision", "energy_inside"),
}


def with_role(role: str) -> tuple[str, ...]:
    """The names of the classifiers' measures that have this role, in the order of the catalogue."""
    return tuple(name for name, measure in CLASSIFICATION.items() if measure.role == role)


def variant_of(name: str) -> str:
    """The declared measure of which ``name`` is a variant; ``name`` itself where it is declared.

    Alignment is also measured of maps made binary, of control maps and of further saliency
    methods: ``energy_inside@0.5_random_weights`` is a variant of ``energy_inside``.

    Raises:
        KeyError: if no such measure of classifiers is declared.
    """
    if name in CLASSIFICATION or name in PAIRS:
        return name
    base = name.partition("@")[0]
    fitting = [own for own in CLASSIFICATION if base == own or base.startswith(f"{own}_")]
    if not fitting:
        raise KeyError(f"{name!r} is not in the catalogue of measures")
    return max(fitting, key=len)


def glossary(task: str) -> list[Term]:
    """The terms of a task's measures, each once, in the order of the catalogue."""
    declared = [*CATALOGUE[task].values(), *(PAIRS.values() if task == "classification" else ())]
    return list(dict.fromkeys(own.term for own in declared if own.term))
