"""``rarelens validate``: every problem of the study at once, and what the study will need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from rarelens.cells import Cell, cells_of
from rarelens.checks import check_study
from rarelens.config import Dataset, Parameters
from rarelens.data.collection import Collection
from rarelens.data.layouts import read_collection
from rarelens.data.problems import find_problems
from rarelens.data.splits import assign_splits
from rarelens.errors import RarelensError
from rarelens.files import read_json
from rarelens.parameters import read_parameters

GIB = 2**30


def validate_study() -> str:
    """Check parameters and data of all datasets of the study.

    Returns:
        What the study will need, for the user to read.

    Raises:
        RarelensError: with every problem found.
    """
    parameters = read_parameters()
    problems = check_study(parameters)
    collections: dict[str, Collection] = {}
    notes = []
    for name in parameters.study.segmentation.datasets:
        if name not in parameters.datasets:
            continue
        settings, folder = parameters.datasets[name], Path("data/raw") / name
        if settings.simulate is not None and not folder.exists():
            notes.append(f"{name}: not simulated yet; `dvc repro` does so first")
            continue
        try:
            collections[name] = read_collection(settings.layout, folder, name)
            problems += _check_data(collections[name], settings, folder, parameters)
        except RarelensError as error:
            problems += error.problems
    if problems:
        raise RarelensError(*problems)
    needs = _needs(parameters, collections)
    return "\n".join(["params.yaml and data: no problem found", *notes, *needs])


def _check_data(
    collection: Collection, settings: Dataset, folder: Path, parameters: Parameters
) -> list[str]:
    problems = find_problems(collection)
    try:
        splits = assign_splits([case.case for case in collection.cases], settings.split, folder)
    except RarelensError as error:
        return [*problems, *error.problems]
    pool = int((splits["split"] == "pool").sum())
    for fraction in parameters.study.segmentation.fractions:
        if round(fraction * pool) < 1:
            problems.append(
                f"params.yaml: study.segmentation.fractions: {fraction} of {collection.name}'s "
                f"pool of {pool} cases leaves no training case; raise it or enlarge the pool"
            )
    return problems


def _needs(parameters: Parameters, collections: dict[str, Collection]) -> list[str]:
    """Lines on cells, disk, memory and hours."""
    listed = cells_of("segmentation", parameters.study.segmentation)
    cells = [cell for cell in listed if cell == cell.base]  # the post-hoc ones train nothing
    past = [_Past.of(cell) for cell in cells]
    done = [p for p in past if p is not None]
    arrays = sum(_prepared_bytes(c, parameters.datasets[n]) for n, c in collections.items())
    lines = [
        f"cells: {len(cells)}, of which {len(done)} are trained",
        f"disk: prepared data about {arrays / GIB:.2f} GiB",
    ]
    if not done:
        return [*lines, "memory, hours, disk per cell: known once a cell has been trained"]
    per_cell = float(np.mean([p.disk for p in done]))
    seconds = float(np.mean([p.seconds for p in done]))
    left = len(cells) - len(done)
    total = per_cell * len(cells) / GIB
    return [
        *lines,
        f"disk: about {per_cell / 2**20:.1f} MiB a cell, {total:.2f} GiB in all",
        f"memory: {max(p.memory for p in done):.0f} MiB at the peak of past trainings",
        f"hours: about {seconds * left / 3600:.2f} of training for {left} cells to come "
        f"({seconds:.0f} s each so far)",
    ]


@dataclass(frozen=True)
class _Past:
    """What a trained cell took: bytes, seconds, MiB."""

    disk: int
    seconds: float
    memory: float

    @classmethod
    def of(cls, cell: Cell) -> _Past | None:
        record = cell.folder("records").with_suffix(".json")
        if not record.is_file():
            return None
        values = read_json(record)
        disk = sum(
            file.stat().st_size
            for stage in ("models", "extracts", "analyses")
            for file in cell.folder(stage).rglob("*")
            if file.is_file()
        )
        return cls(disk, values["seconds"], values["peak_memory_mib"])


def _prepared_bytes(collection: Collection, settings: Dataset) -> float:
    """Size of the prepared arrays, from the files' headers and before any crop."""
    spacing = settings.preprocess.spacing
    per_voxel = len(collection.channels) * (2 if settings.preprocess.dtype == "float16" else 4) + 1
    total = 0.0
    for case in collection.cases:
        image = nib.load(case.images[0])
        voxels = float(np.prod(image.shape[:3]))
        if spacing is not None:
            voxels *= float(np.prod(image.header.get_zooms()[:3]) / np.prod(spacing))
        total += voxels * per_voxel
    return total
