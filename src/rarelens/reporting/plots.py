"""Small tidy tables for ``dvc plots show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rarelens.files import write_text
from rarelens.reporting.block import Block
from rarelens.reporting.figures.margins import densities

STUDY = ["dataset", "network", "fraction"]


def write_plots(target: Path, blocks: Sequence[Block]) -> None:
    """Write ``margins.csv`` and ``overlap.csv`` into the folder ``target``.

    ``margins.csv``: dataset, network, fraction, method, class, side, margin, density.
    ``overlap.csv``: dataset, network, fraction, method, class, measure, mean, ci_low, ci_high.
    """
    _write(target / "margins.csv", [_margins(block) for block in blocks])
    _write(target / "overlap.csv", [_overlap(block) for block in blocks])


def _margins(block: Block) -> pd.DataFrame:
    table = densities(block)
    table["class"] = [block.classes[class_] for class_ in table["class"]]
    table = table.assign(dataset=block.dataset, network=block.network, fraction=block.fraction)
    return table[[*STUDY, "method", "class", "side", "margin", "density"]]


def _overlap(block: Block) -> pd.DataFrame:
    rows = block.metrics[
        block.metrics["measure"].isin(["dice", "sensitivity", "precision"])
        & (block.metrics["rule"] == "all")
    ]
    return rows[[*STUDY, "method", "class", "measure", "mean", "ci_low", "ci_high"]]


def _write(file: Path, frames: list[pd.DataFrame]) -> None:
    table = pd.concat(frames, ignore_index=True)
    write_text(file, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
