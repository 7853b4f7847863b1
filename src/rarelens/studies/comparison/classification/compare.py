"""Compare the methods of a classification study with its baseline, and with each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.studies.catalogue import CLASSIFICATION
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.classification import pairs
from rarelens.studies.comparison.classification.alignment import aligned
from rarelens.studies.comparison.classification.classifiers import Classifiers, read_classifiers
from rarelens.studies.comparison.classification.model_values import model_values
from rarelens.studies.comparison.classification.ranking import ranked
from rarelens.studies.comparison.comparison import COMPARISON, require_baseline
from rarelens.studies.comparison.engine import Values, compared, corrected, tabulated
from rarelens.studies.settings.results import Compare

COLUMNS = [
    *[*COMPARISON, "method", "baseline", "class", "layer", "measure"],
    *["mean", "sd_over_seeds", "ci_low", "ci_high", "confidence"],
    *["baseline_difference", "difference_low", "difference_high", "p", "p_holm", "claim"],
    *["few_positives", "seeds", "sufficient_seeds"],
]
TESTED = ("ci_low", "ci_high", "difference_low", "difference_high", "p")


def compare(
    cells: Sequence[Cell], analyses: Path, baseline: str, settings: Compare
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means over seeds with intervals, and differences to the baseline and between all methods.

    AUROC, average precision and alignment hold for the next training and the next patient;
    alignment is that of the test images. Everything else has one value per model and Student's t
    interval over three or more seeds, which says nothing about the choice of test images
    (`inference`). A class that fewer test patients have than ``least_positives`` has neither
    interval nor p in anything, nor has a mean over such classes alone; ``few_positives`` counts
    them.

    The page's claims, over which Holm's correction is: every method against the baseline in the
    measures that the catalogue has ``claimed``, in the mean over classes; and what is asked of each
    pair (`claims.answers`).

    Args:
        cells: the study's models, in any order; a study that is switched off has none.
        analyses: the folder above ``<task>/<cell>``.
        baseline: the method that the others are compared with.
        settings: draws, confidence, seed, equivalence, fewest positives.

    Returns:
        Each method against the baseline, `COLUMNS`, and each pair of methods, `pairs.COLUMNS`;
        without image ids, in an order that does not depend on that of ``cells``.

    Raises:
        RarelensError: if an analysis is missing or of other images than those it is compared
            with, or the baseline is not among the cells.
    """
    require_baseline(cells, baseline)
    rows: list[dict[str, Any]] = []
    both: list[dict[str, Any]] = []
    for classifiers in read_classifiers(cells, analyses, settings):
        values = _values(classifiers)
        own = compared(classifiers.comparison, values, baseline, settings)
        rows += map(_claimed, _tested(classifiers, own))
        both += pairs.pairs_of(classifiers, values)
    methods, found = corrected((rows, COLUMNS), (both, pairs.COLUMNS))
    return methods, found


def _tested(classifiers: Classifiers, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    few = classifiers.few(classifiers.positives)
    patients = classifiers.patients(classifiers.positives)
    held = dict(zip(classifiers.targets, patients, strict=True))
    for row in rows:
        known = {} if held[row["class"]] else dict.fromkeys(TESTED, nan)
        yield row | known | {"few_positives": few[row["class"]]}


def _claimed(row: dict[str, Any]) -> dict[str, Any]:
    declared = CLASSIFICATION.get(row["measure"])
    asked = declared is not None and declared.claimed and row["class"] == "mean"
    return row | {"claim": asked and isfinite(row["p"])}


def _values(classifiers: Classifiers) -> list[Values]:
    """All measures, in an order that is always the same."""
    single = tabulated(
        model_values(classifiers),
        classifiers.methods,
        CLASSIFICATION,
        classifiers.settings,
        classifiers.targets,
    )
    return [*ranked(classifiers), *aligned(classifiers), *single]
