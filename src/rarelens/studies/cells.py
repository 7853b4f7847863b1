"""A cell is one trained model: dataset × network × method × fraction × seed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError
from rarelens.studies.files import remove_folder, write_json, write_text
from rarelens.studies.settings.study import Study


@dataclass(frozen=True, order=True)
class Cell:
    """One trained model of a task, and where its files lie."""

    task: str
    dataset: str
    network: str
    method: str
    fraction: str
    seed: int

    @property
    def name(self) -> str:
        """``dataset/network/method/fraction/seed``, the folder below each stage's own."""
        return f"{self.dataset}/{self.network}/{self.method}/{self.fraction}/{self.seed}"

    @property
    def base(self) -> Cell:
        """The trained cell that this one is made from: itself, but for a ``base+adjustment``."""
        return replace(self, method=self.method.partition("+")[0])

    def folder(self, stage: str) -> Path:
        """Where ``stage`` (models, extracts, analyses, records) keeps this cell's files."""
        return Path(stage) / self.task / self.name


def cells_of(task: str, study: Study) -> list[Cell]:
    """All cells of a study, in the order of its lists; the adjusted ones after the trained."""
    adjusted = [f"{base}+{own}" for base, own in product(study.adjusted, study.adjustments)]
    methods = (*study.methods, *adjusted)
    return [
        Cell(task, dataset, network, method, str(fraction), seed)
        for dataset, network, method, fraction, seed in product(
            study.datasets, study.networks, methods, study.fractions, study.seeds
        )
    ]


def write_cells(file: Path, cells: Sequence[Cell]) -> None:
    """Write the list of a study's cells as CSV; of a study that is switched off, the header."""
    text = io.StringIO()
    names = [field.name for field in fields(Cell)]
    writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(cell) for cell in cells)
    write_text(file, text.getvalue())


def write_settings(file: Path, parameters: Mapping[str, Any], task: str) -> None:
    """Write as JSON what decides the cells of a task's study, by its place in ``params.yaml``.

    Of datasets, networks and so on those that the study names; nothing of one switched off.

    Args:
        file: is written; its folder too, if there is none.
        parameters: the content of ``params.yaml``.
        task: names the study.
    """
    study = parameters["study"][task]
    named = {
        "datasets": (parameters["datasets"], study["datasets"]),
        "networks": (parameters["networks"], study["networks"]),
        "layers": (parameters["layers"], study["networks"]),
        f"methods.{task}": (parameters["methods"][task], study["methods"]),
        f"adjustments.{task}": (parameters["adjustments"][task], study["adjustments"]),
    }
    settings = {
        f"{section}.{name}": own[name]
        for section, (own, names) in named.items()
        for name in names
        if name in own
    }
    settings |= {
        f"{name}.{task}": parameters[name][task] for name in ("train", "extract", "analyse")
    }
    write_json(file, settings if study["datasets"] else {})


def read_cells(file: Path) -> list[Cell]:
    """Read the list of a study's cells.

    Raises:
        RarelensError: if it is no such list.
    """
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            if rows.fieldnames != [field.name for field in fields(Cell)]:
                raise ValueError("other columns")  # noqa: TRY301
            return [Cell(seed=int(row.pop("seed")), **row) for row in rows]
    except (ValueError, TypeError, csv.Error) as error:
        raise RarelensError(
            f"{file}: no list of cells; remove it and run `dvc repro cells`"
        ) from error


def drop_other_cells(root: Path, cells: Sequence[Cell]) -> None:
    """Remove from ``root`` the folders of cells that are not in the study; keep ``root`` itself.

    DVC leaves the outputs of removed matrix cells behind, and a stage that depends on the whole
    folder would count them. Checkpoints of a cell that was killed and then left out lie on, too.

    Args:
        root: folders of cells, such as ``analyses/<task>``; it is made where it does not exist.
        cells: all cells of the study.
    """
    root.mkdir(parents=True, exist_ok=True)
    kept = {root / cell.name for cell in cells}
    for folder in sorted(root.glob("*/*/*/*/*")):
        if folder.is_dir() and folder not in kept:
            remove_folder(folder)
    for folder in sorted((f for f in root.rglob("*") if f.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
