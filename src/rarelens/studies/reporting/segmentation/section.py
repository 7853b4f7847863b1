"""The study's part of the page: a section for each block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rarelens.studies.cells import Cell
from rarelens.studies.comparison.metrics import read_metrics
from rarelens.studies.reporting.drawing import Drawn
from rarelens.studies.reporting.segmentation.block import Block, read_blocks
from rarelens.studies.reporting.segmentation.figures import write_figures
from rarelens.studies.reporting.segmentation.headline import headline
from rarelens.studies.reporting.segmentation.plots import write_plots
from rarelens.studies.reporting.segmentation.tables import tables
from rarelens.studies.reporting.segmentation.units import unit_table


def write_sections(
    target: Path, cells: Sequence[Cell], analyses: Path, metrics: Path, dpi: int
) -> list[dict[str, Any]]:
    """Write figures and tables of plots into ``target``; return what the page says.

    Args:
        target: holds a folder ``figures``.
        cells: the study's models, at least one.
        analyses: the folder above ``<task>/<cell>``.
        metrics: the folder of the comparison's ``segmentation.csv``.
        dpi: dots per inch of the figures.

    Raises:
        RarelensError: one sentence for each thing that is missing.
    """
    blocks = read_blocks(cells, analyses, read_metrics(metrics / "segmentation.csv"))
    write_plots(target / "plots", blocks)
    return [_section(block, write_figures(block, target / "figures", dpi)) for block in blocks]


def _section(block: Block, drawn: list[Drawn]) -> dict[str, Any]:
    measured = block.metrics[block.metrics["measure"] == "dice"]
    return {
        "block": block,
        "headline": headline(block),
        "tables": tables(block),
        "units": unit_table(block),
        "figures": drawn,
        "subjects": int(measured["subjects"].max()),
        "confidence": float(block.metrics["confidence"].iloc[0]),
    }
