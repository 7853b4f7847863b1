"""Small tidy tables for ``dvc plots show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.reporting.classification.block import Block
from rarelens.studies.reporting.plots import write_table

MEASURES = ["auroc", "average_precision", "average_precision_over_prevalence"]


def write_plots(target: Path, blocks: Sequence[Block]) -> None:
    """Write ``classification.csv``, ``prevalence.csv`` and ``pairs.csv`` into ``target``.

    ``classification.csv``: dataset, network, fraction, method, class, prevalence, measure, mean,
    ci_low, ci_high; a row a class. ``prevalence.csv``: its rows of average precision.
    ``pairs.csv``: dataset, network, fraction, method_a, method_b, quantity, layer, difference, low,
    high.
    """
    tables = [_classes(block) for block in blocks]
    write_table(target / "classification.csv", tables)
    precision = [table[table["measure"] == "average_precision"] for table in tables]
    write_table(target / "prevalence.csv", precision)
    columns = [
        *COMPARISON,
        "method_a",
        "method_b",
        "quantity",
        "layer",
        "difference",
        "low",
        "high",
    ]
    write_table(target / "pairs.csv", [block.pairs.reindex(columns=columns) for block in blocks])


def _classes(block: Block) -> pd.DataFrame:
    rows = block.metrics
    rows = rows[rows["measure"].isin(MEASURES) & rows["class"].isin(block.classes)]
    prevalence = rows["class"].map(dict(zip(block.classes, block.prevalence, strict=True)))
    columns = [*COMPARISON, "method", "class", "prevalence", "measure", "mean", "ci_low", "ci_high"]
    return rows.assign(prevalence=prevalence)[columns]
