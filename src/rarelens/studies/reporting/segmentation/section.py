"""The study's part of the page: a section for each dataset, network and fraction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.reporting.segmentation.across import across
from rarelens.studies.reporting.segmentation.figures import margins, overlap, write_figures
from rarelens.studies.reporting.segmentation.headline import headline
from rarelens.studies.reporting.segmentation.results import SegmentationResults, read_results
from rarelens.studies.reporting.segmentation.tables import (
    asymmetry_table,
    class_table,
    macro_table,
    unit_table,
)

__all__ = ["across", "plots", "read_results", "section"]


def section(results: SegmentationResults, folder: Path, dpi: int) -> dict[str, Any]:
    """What its template shows; figures are drawn into an existing folder."""
    measured = results.metrics[results.metrics["measure"] == "dice"]
    return {
        "results": results,
        "headline": headline(results),
        "tables": [class_table(results, class_) for class_ in results.drawn],
        "folded": [
            class_table(results, class_) for class_ in results.rare if class_ not in results.drawn
        ],
        "macro": macro_table(results),
        "asymmetry": asymmetry_table(results),
        "units": unit_table(results),
        "figures": write_figures(results, folder, dpi),
        "subjects": int(measured["subjects"].max()),
    }


def plots(results: SegmentationResults) -> dict[str, pd.DataFrame]:
    """Tables for ``dvc plots``.

    ``margins``: dataset, network, fraction, method, class, side, margin, density. ``overlap``:
    dataset, network, fraction, method, class, measure, mean, ci_low, ci_high.
    """
    return {"margins": _margins(results), "overlap": _overlap(results)}


def _margins(results: SegmentationResults) -> pd.DataFrame:
    table = margins.densities(results)
    table["class"] = [results.classes[class_] for class_ in table["class"]]
    table = table.assign(**{name: getattr(results, name) for name in COMPARISON})
    return table[[*COMPARISON, "method", "class", "side", "margin", "density"]]


def _overlap(results: SegmentationResults) -> pd.DataFrame:
    rows = results.metrics
    rows = rows[rows["measure"].isin(overlap.MEASURES) & (rows["rule"] == "all")]
    return rows[[*COMPARISON, "method", "class", "measure", "mean", "ci_low", "ci_high"]]
