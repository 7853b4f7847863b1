"""The cells that MLflow is to show: recorded in DVC's lock, and on disk as it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.lock import Lock
from rarelens.studies.cells import Cell
from rarelens.studies.files import read_json

# Raise it when the mirror shows something else of the same files.
VERSION = 2
MODEL = ("model.json", "weights.safetensors", "history.csv")


@dataclass(frozen=True)
class RecordedCell:
    """A cell of which all that the lock knows lies on disk.

    Attributes:
        cell: the cell.
        record: of the training of its weights.
        identity: of the training; of a post-hoc cell also of its adjustment.
        adjustment: what a post-hoc cell adds to the parameters.
        analysed: whether its final measures are there, and of these weights.
        weights: a digest of all that its model in MLflow shows.
        state: a digest of all that its run shows.
    """

    cell: Cell
    record: dict[str, Any]
    identity: str
    adjustment: dict[str, Any]
    analysed: bool
    weights: str
    state: str

    @property
    def model(self) -> Path:
        """The folder of the weights."""
        return weights_of(self.cell).folder("models")

    def measures(self) -> dict[str, float]:
        """The final measures, where the cell is analysed."""
        if not self.analysed:
            return {}
        folder = self.cell.folder("analyses")
        facts = read_json(folder / "analysis.json")
        rare = [facts["classes"][index] for index in facts.get("rare_classes", ())]
        return names.measures(self.cell.task, read_json(folder / "summary.json"), rare)


def weights_of(cell: Cell) -> Cell:
    """The cell whose weights this one uses: of a post-hoc one its base, else itself."""
    return cell.base if cell.task == "segmentation" else cell


def find_recorded(cells: Sequence[Cell], lock: Lock) -> tuple[list[RecordedCell], int]:
    """The cells that are in the lock and on disk, and how many others are in the lock alone.

    Raises:
        RarelensError: if a file of theirs is no JSON.
    """
    found, absent = [], 0
    for cell in cells:
        trained = weights_of(cell)
        model, extract = trained.folder("models"), cell.folder("extracts")
        extracted = lock.follows(extract, model)
        if lock.digest(model) is None or (cell != trained and not extracted):
            continue
        # Of the extract and the weights that there are now, or of none.
        analysed = extracted and lock.follows(cell.folder("analyses"), extract)
        files = [_record(cell), *(model / name for name in MODEL)]
        files += [extract / "extract.json"] if cell != trained else []
        files += [cell.folder("analyses") / "summary.json"] if analysed else []
        if all(file.is_file() for file in files):
            found.append(_describe(cell, lock, analysed))
        else:
            absent += 1
    return found, absent


def _describe(cell: Cell, lock: Lock, analysed: bool) -> RecordedCell:
    record = _read(_record(cell))
    identity = str(record["identity"])
    adjustment: dict[str, Any] = {}
    if cell != weights_of(cell):
        extract = cell.folder("extracts")
        name = f"adjustments.{cell.task}.{cell.method.partition('+')[2]}"
        facts = _read(extract / "extract.json")
        adjustment = {**lock.parameters(extract).get(name, {}), "logit_bias": facts["logit_bias"]}
        identity += f"+{_digest(adjustment)[:8]}"
    shown = [lock.digest(weights_of(cell).folder("models"))]
    shown += [lock.digest(cell.folder("analyses"))] if analysed else []
    weights = _digest([VERSION, record["parameters"], adjustment, shown[0]])[:16]
    state = _digest([VERSION, record, adjustment, shown])[:16]
    return RecordedCell(cell, record, identity, adjustment, analysed, weights, state)


def _read(file: Path) -> Any:
    try:
        return read_json(file)
    except ValueError as error:
        raise RarelensError(f"{file}: no JSON; `dvc repro` brings it back") from error


def _record(cell: Cell) -> Path:
    return weights_of(cell).folder("records").with_suffix(".json")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
