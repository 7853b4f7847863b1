"""What the stages ``fingerprint`` and ``cells`` will leave: both are told without running them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rarelens.pipeline.lineage.entries import read_entries
from rarelens.pipeline.lineage.fingerprints import write_fingerprints
from rarelens.pipeline.lineage.plan.code import FOLDER
from rarelens.pipeline.lineage.plan.evaluation import Prediction, Predictor
from rarelens.studies.cells import Cell, cells_of, write_cells, write_settings
from rarelens.studies.settings.checking import check
from rarelens.studies.settings.study import Studies

# As stages/cells.py writes it; a test compares them.
CHECKED = b"The study was checked before any training.\n"


def predictors(root: Path) -> dict[str, Predictor]:
    """The predictors of the project in the folder ``root``, by kind of stage."""
    return {"fingerprint": partial(_fingerprints, root), "cells": partial(_cells, root)}


def _fingerprints(root: Path, _: str, parameters: dict[str, Any]) -> Prediction:
    """The folder of fingerprints of the code as it is now."""
    entries = read_entries(lambda section, kind: check(parameters[section], kind, section))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_fingerprints(folder, root / "stages", root / "requirements.lock", entries)
        files = {
            f"{FOLDER}/{file.relative_to(folder).as_posix()}": file.read_bytes()
            for file in folder.rglob("*.json")
        }
    return Prediction(files)


def _cells(root: Path, task: str, parameters: dict[str, Any]) -> Prediction:
    """The list of a study's cells, and the analyses of other cells, which are dropped."""
    cells = cells_of(task, getattr(check(parameters["study"], Studies, "study"), task))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_cells(folder / "cells.csv", cells)
        write_settings(folder / "settings.json", parameters, task)
        files = {f"cells/{task}/{file.name}": file.read_bytes() for file in folder.iterdir()}
    files[f"cells/{task}/checked"] = CHECKED
    analyses = f"analyses/{task}"
    return Prediction(files, (analyses,), tuple(_others(root, analyses, cells)))


def _others(root: Path, analyses: str, cells: list[Cell]) -> list[str]:
    kept = {f"{analyses}/{cell.name}" for cell in cells}
    folders = (each for each in (root / analyses).glob("*/*/*/*/*") if each.is_dir())
    return sorted({each.relative_to(root).as_posix() for each in folders} - kept)
