"""The report: one self-contained page of a study, with its figures beside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rarelens.cells import Cell
from rarelens.comparison.segmentation import read_metrics
from rarelens.config.results import Report
from rarelens.files import write_text
from rarelens.reporting.block import Block, read_blocks
from rarelens.reporting.figures import Drawn, write_figures
from rarelens.reporting.glossary import GLOSSARY
from rarelens.reporting.headline import headline
from rarelens.reporting.plots import write_plots
from rarelens.reporting.tables import tables


def write_report(
    target: Path,
    cells: Sequence[Cell],
    analyses: Path,
    metrics_csv: Path,
    datasets: Mapping[str, bool],
    settings: Report,
) -> None:
    """Write ``index.html``, ``figures/*.png`` and ``plots/*.csv`` into ``target``.

    The page holds its figures within itself: it can be sent by mail and opened offline. It
    holds no case ids.

    Args:
        target: an existing empty folder.
        cells: the study's models, in the study's order.
        analyses: the folder above ``<task>/<cell>``.
        metrics_csv: what the comparison wrote.
        datasets: the names of the study's datasets, and whether each is simulated.
        settings: resolution of the figures.

    Raises:
        RarelensError: one sentence for each thing that is missing.
    """
    blocks = read_blocks(cells, analyses, read_metrics(metrics_csv))
    folder = target / "figures"
    folder.mkdir()
    sections = [_section(block, write_figures(block, folder, settings.dpi)) for block in blocks]
    write_plots(target / "plots", blocks)
    simulated = [name for name, is_simulated in datasets.items() if is_simulated]
    write_text(target / "index.html", _render(sections, simulated, cells))


def _section(block: Block, drawn: list[Drawn]) -> dict[str, Any]:
    measured = block.metrics[block.metrics["measure"] == "dice"]
    return {
        "block": block,
        "headline": headline(block),
        "tables": tables(block),
        "figures": drawn,
        "subjects": int(measured["subjects"].max()),
        "confidence": float(block.metrics["confidence"].iloc[0]),
    }


def _render(sections: list[dict[str, Any]], simulated: list[str], cells: Sequence[Cell]) -> str:
    environment = Environment(
        loader=PackageLoader("rarelens", "reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["embedded"] = _embedded
    return environment.get_template("page.html.j2").render(
        sections=sections,
        simulated=simulated,
        glossary=GLOSSARY,
        models=len(cells),
        methods=len({cell.method for cell in cells}),
        seeds=len({cell.seed for cell in cells}),
    )


def _embedded(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
