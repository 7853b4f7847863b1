"""Write the cases of a study that the report's browser shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rarelens.studies.browsing.segmentation.choice import ChosenCase, chosen_cases
from rarelens.studies.browsing.segmentation.volumes import shown, write_case
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.comparison import (
    COMPARISON,
    Comparison,
    comparisons,
    require_analyses,
    require_baseline,
)
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.extraction.segmentation.logits import CaseLogits
from rarelens.studies.files import read_json, write_json
from rarelens.studies.models.storage import fix_algorithms
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation


def browse(
    cells: Sequence[Cell],
    baseline: str,
    project: Path,
    target: Path,
    settings: ExtractSegmentation,
) -> None:
    """Write ``<dataset>/<network>/<fraction>/``: ``cases.json``, and an .npz of each case.

    They are of the first seed, of the subjects that `chosen_cases` names. ``cases.json`` has the
    ``methods`` in the order of the arrays, the ``seed``, and of each of ``cases`` its ``name``
    (that of its file) and ``dice`` by method. A comparison in which no test subject has a rare
    class has no case.

    Args:
        cells: of the comparisons that are shown.
        baseline: the method whose overlap decides which cases they are.
        project: the folder of data, models, extracts and analyses.
        target: an existing, empty folder.
        settings: how dense logits are computed.

    Raises:
        RarelensError: if an analysis, extract or model is missing.
    """
    require_baseline(cells, baseline)
    analyses = project / "analyses"
    require_analyses(cells, analyses, ("analysis.json", "overlap.parquet"))
    fix_algorithms(settings.threads)
    for comparison in comparisons(cells):
        seed = comparison.cells[0].seed
        own = {cell.method: cell for cell in comparison.cells if cell.seed == seed}
        folders = {method: cell.folder(str(analyses)) for method, cell in own.items()}
        chosen = chosen_cases(folders, baseline)
        folder = target.joinpath(*(comparison.names[name] for name in COMPARISON))
        folder.mkdir(parents=True)
        _write(comparison, own, chosen, project, folder, settings)
        about = [{"name": case.name, "dice": case.dice} for case in chosen]
        write_json(folder / "cases.json", {"methods": list(own), "seed": seed, "cases": about})


def _write(
    comparison: Comparison,
    cells: dict[str, Cell],
    chosen: list[ChosenCase],
    project: Path,
    folder: Path,
    settings: ExtractSegmentation,
) -> None:
    """The volumes of the cases; memory holds one case at a time."""
    if not chosen:
        return
    data = PreparedDataset(project / "data/prepared" / comparison.names["dataset"])
    logits = {method: _logits(cell, data, project, settings) for method, cell in cells.items()}
    rare = next(iter(logits.values())).card.rare_classes
    for case in chosen:
        own = {method: shown(of.of(case.case), rare) for method, of in logits.items()}
        affine = np.reshape(data.table.loc[case.case]["affine"], (4, 4))
        image, truth = data.image(case.case)[0], np.asarray(data.label(case.case))
        write_case(folder / f"{case.name}.npz", image, truth, affine, own, rare)


def _logits(
    cell: Cell, data: PreparedDataset, project: Path, settings: ExtractSegmentation
) -> CaseLogits:
    """Of a cell; a post-hoc control adds to those of its base what its extract has found."""
    logits = CaseLogits(cell.base.folder(str(project / "models")), data, settings, None)
    about = read_json(cell.folder(str(project / "extracts")) / "extract.json")
    logits.bias = np.asarray(about["logit_bias"], np.float32)
    return logits
