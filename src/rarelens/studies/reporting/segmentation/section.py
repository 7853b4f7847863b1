"""The study's part of the page: a section for each dataset, network and fraction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.reporting.segmentation.across import across
from rarelens.studies.reporting.segmentation.answer import answer
from rarelens.studies.reporting.segmentation.cases import cases
from rarelens.studies.reporting.segmentation.figures import margins, overlap, write_figures
from rarelens.studies.reporting.segmentation.headline import headline
from rarelens.studies.reporting.segmentation.results import SegmentationResults, read_results
from rarelens.studies.reporting.segmentation.tables import (
    asymmetry_table,
    class_table,
    macro_table,
    unit_table,
)
from rarelens.studies.reporting.way_back import all_numbers, origins

__all__ = ["PLOTS", "across", "answer", "cases", "plots", "read_results", "section"]

# Columns of the tables for ``dvc plots``.
PLOTS = {
    "margins": [*COMPARISON, "method", "class", "side", "margin", "density"],
    "overlap": [*COMPARISON, "method", "class", "measure", "mean", "ci_low", "ci_high"],
}


def section(results: SegmentationResults, folder: Path, dpi: int) -> dict[str, Any]:
    """What its template shows; figures are drawn into an existing folder."""
    others = [class_ for class_ in results.rare if class_ not in results.leading]
    pictures = write_figures(results, folder, dpi)
    more = {f"{name}-{class_}" for class_ in others for name in ("joint", "lesions")}
    measured = results.metrics[results.metrics["measure"] == "dice"]
    return {
        "results": results,
        "origins": origins("segmentation", results),
        "numbers": all_numbers(results),
        "headline": headline(results),
        "tables": [class_table(results, class_) for class_ in results.leading],
        "folded": [class_table(results, class_) for class_ in others],
        "macro": macro_table(results),
        "asymmetry": asymmetry_table(results),
        "units": unit_table(results),
        "figures": [figure for figure in pictures if figure.name not in more],
        "folded_figures": [figure for figure in pictures if figure.name in more],
        "subjects": int(measured["subjects"].max()),
    }


def plots(results: SegmentationResults) -> dict[str, pd.DataFrame]:
    """Tables for ``dvc plots``, `PLOTS`."""
    where = {name: getattr(results, name) for name in COMPARISON}
    densities = margins.numbers(results).assign(**where)
    rows = results.metrics
    rows = rows[rows["measure"].isin(overlap.MEASURES) & (rows["rule"] == "all")]
    return {"margins": densities[PLOTS["margins"]], "overlap": rows[PLOTS["overlap"]]}
