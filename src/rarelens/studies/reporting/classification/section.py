"""The study's part of the page: a section for each block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rarelens.studies.cells import Cell
from rarelens.studies.reporting.classification.block import Block, read_blocks
from rarelens.studies.reporting.classification.comparison import read_comparison
from rarelens.studies.reporting.classification.figures import write_figures
from rarelens.studies.reporting.classification.headline import headline
from rarelens.studies.reporting.classification.pairs import pairs
from rarelens.studies.reporting.classification.plots import write_plots
from rarelens.studies.reporting.classification.question import question
from rarelens.studies.reporting.classification.tables import tables


def write_sections(
    target: Path, cells: Sequence[Cell], analyses: Path, metrics: Path, dpi: int
) -> list[dict[str, Any]]:
    """Write figures and tables of plots into ``target``; return what the page says.

    Args:
        target: holds a folder ``figures``.
        cells: the study's models, at least one.
        analyses: the folder above ``<task>/<cell>``.
        metrics: the folder of ``classification.csv`` and ``classification_pairs.csv``.
        dpi: dots per inch of the figures.

    Raises:
        RarelensError: one sentence for each thing that is missing.
    """
    comparison = read_comparison(metrics / "classification.csv")
    paired = read_comparison(metrics / "classification_pairs.csv")
    blocks = read_blocks(cells, analyses, comparison, paired)
    write_plots(target / "plots", blocks)
    return [_section(block, target / "figures", dpi) for block in blocks]


def _section(block: Block, folder: Path, dpi: int) -> dict[str, Any]:
    found = pairs(block)
    drawn = write_figures(block, found, folder, dpi)
    return {
        "block": block,
        "headline": headline(block, found),
        "question": [question(block, found)] if found else [],
        "answers": [figure for figure in drawn if figure.kind in {"question", "prevalence"}],
        "tables": tables(block),
        "figures": [figure for figure in drawn if figure.kind not in {"question", "prevalence"}],
    }
