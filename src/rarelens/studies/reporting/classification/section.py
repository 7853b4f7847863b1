"""The study's part of the page: a section for each dataset, network and fraction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.reporting.classification.answer import answer
from rarelens.studies.reporting.classification.cases import cases
from rarelens.studies.reporting.classification.figures import prevalence, write_figures
from rarelens.studies.reporting.classification.headline import headline
from rarelens.studies.reporting.classification.question import question
from rarelens.studies.reporting.classification.results import ClassificationResults, read_results
from rarelens.studies.reporting.classification.tables import tables
from rarelens.studies.reporting.way_back import all_numbers, origins

__all__ = ["PLOTS", "answer", "cases", "plots", "read_results", "section"]

ANSWERS = ("question", "prevalence")
_CLASSES = [*COMPARISON, "method", "class", "prevalence", "measure", "mean", "ci_low", "ci_high"]
# Columns of the tables for ``dvc plots``; of ``classification``, ``prevalence`` has the rows of
# average precision.
PLOTS = {
    "classification": _CLASSES,
    "prevalence": _CLASSES,
    "pairs": [
        *COMPARISON,
        "method_a",
        "method_b",
        "quantity",
        "layer",
        "difference",
        "low",
        "high",
    ],
}


def section(results: ClassificationResults, folder: Path, dpi: int) -> dict[str, Any]:
    """What its template shows; figures are drawn into an existing folder."""
    drawn = write_figures(results, folder, dpi)
    return {
        "results": results,
        "origins": origins("classification", results),
        "numbers": all_numbers(results),
        "headline": headline(results),
        "question": [question(results)] if results.pairs else [],
        "answers": [figure for figure in drawn if figure.name in ANSWERS],
        "tables": tables(results),
        "figures": [figure for figure in drawn if figure.name not in ANSWERS],
    }


def plots(results: ClassificationResults) -> dict[str, pd.DataFrame]:
    """Tables for ``dvc plots``, `PLOTS`; those of classes have a row a class."""
    where = {name: getattr(results, name) for name in COMPARISON}
    classes = prevalence.numbers(results).assign(**where)[_CLASSES]
    return {
        "classification": classes,
        "prevalence": classes[classes["measure"] == "average_precision"],
        "pairs": results.pair_rows.reindex(columns=PLOTS["pairs"]),
    }
