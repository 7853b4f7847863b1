"""Small tidy tables for ``dvc plots show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rarelens.studies.comparison.comparison import COMPARISON
from rarelens.studies.reporting.plots import write_table
from rarelens.studies.reporting.segmentation.block import Block
from rarelens.studies.reporting.segmentation.figures.margins import densities


def write_plots(target: Path, blocks: Sequence[Block]) -> None:
    """Write ``margins.csv`` and ``overlap.csv`` into the folder ``target``.

    ``margins.csv``: dataset, network, fraction, method, class, side, margin, density.
    ``overlap.csv``: dataset, network, fraction, method, class, measure, mean, ci_low, ci_high.
    """
    write_table(target / "margins.csv", [_margins(block) for block in blocks])
    write_table(target / "overlap.csv", [_overlap(block) for block in blocks])


def _margins(block: Block) -> pd.DataFrame:
    table = densities(block)
    table["class"] = [block.classes[class_] for class_ in table["class"]]
    table = table.assign(dataset=block.dataset, network=block.network, fraction=block.fraction)
    return table[[*COMPARISON, "method", "class", "side", "margin", "density"]]


def _overlap(block: Block) -> pd.DataFrame:
    rows = block.metrics[
        block.metrics["measure"].isin(["dice", "sensitivity", "precision"])
        & (block.metrics["rule"] == "all")
    ]
    return rows[[*COMPARISON, "method", "class", "measure", "mean", "ci_low", "ci_high"]]
