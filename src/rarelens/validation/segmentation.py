"""``rarelens validate``: every problem of the study at once, and what the study will need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from rarelens.cells import Cell, cells_of
from rarelens.checks import check_study, without_validation
from rarelens.config.volumes import Dataset
from rarelens.config.whole import Parameters, read_parameters
from rarelens.data.collection import CaseFiles, Collection
from rarelens.data.intensity import per_channel
from rarelens.data.layouts import read_collection
from rarelens.data.problems import find_problems
from rarelens.data.splits import assign_splits, rare_classes
from rarelens.errors import RarelensError
from rarelens.files import read_json
from rarelens.training.job import Job

GIB = 2**30
RAW = Path("data/raw")


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
    notes: list[str] = []
    for name in parameters.study.segmentation.datasets:
        if name not in parameters.datasets:
            continue
        try:
            found = _find(name, parameters.datasets[name], notes)
        except RarelensError as error:
            problems += error.problems
            continue
        problems += _check_settings(found.planned, parameters)
        if found.present is not None:
            collections[name] = found.present
            problems += find_problems(found.present)
    if problems:
        # One that a dataset and the study both have is told once.
        raise RarelensError(*dict.fromkeys(problems))
    needs = _needs(parameters, collections)
    return "\n".join(["params.yaml and data: no problem found", *notes, *needs])


@dataclass(frozen=True)
class _Found:
    """A dataset as the study will use it, and as it is on disk where that is the same."""

    planned: Collection
    present: Collection | None


def _find(name: str, settings: Dataset, notes: list[str]) -> _Found:
    """Read a dataset; one that is still to be simulated gets a note instead."""
    folder = RAW / name
    if settings.simulate is None:
        collection = read_collection(settings.layout, folder, name)
        return _Found(collection, collection)
    # As `rarelens.data.simulation.cohort` writes it.
    subjects = settings.simulate.subjects
    cases = tuple(CaseFiles(f"{name}_{number:03d}", (), None) for number in range(subjects))
    planned = Collection(name, ("T1",), ("background", "lesion"), cases)
    if not folder.exists():
        notes.append(f"{name}: not simulated yet; `dvc repro` does so first")
        return _Found(planned, None)
    present = read_collection(settings.layout, folder, name)
    if len(present.cases) != subjects:
        notes.append(
            f"{name}: {len(present.cases)} subjects on disk, {subjects} wanted; `dvc repro` "
            "simulates them anew first"
        )
        return _Found(planned, None)
    return _Found(planned, present)


def _check_settings(collection: Collection, parameters: Parameters) -> list[str]:
    """Problems of a dataset's parameters that its cases, channels and classes show."""
    name, settings = collection.name, parameters.datasets[collection.name]
    problems = _check_description(collection, settings)
    try:
        cases = [case.case for case in collection.cases]
        splits = assign_splits(cases, settings.split, RAW / name)
    except RarelensError as error:
        return [*problems, *error.problems]
    if "validation" not in set(splits["split"]):
        problems += without_validation(parameters, name)
    pool = int((splits["split"] == "pool").sum())
    for fraction in parameters.study.segmentation.fractions:
        if round(fraction * pool) < 1:
            problems.append(
                f"params.yaml: study.segmentation.fractions: {fraction} of {collection.name}'s "
                f"pool of {pool} cases leaves no training case; raise it or enlarge the pool"
            )
    return problems


def _check_description(collection: Collection, settings: Dataset) -> list[str]:
    """Entries of ``intensity`` and ``rare_classes`` that the dataset has no place for."""
    problems: list[str] = []
    try:
        per_channel(settings.preprocess.intensity, len(collection.channels))
    except RarelensError as error:
        problems += error.problems
    if settings.rare_classes != "auto":
        # Named classes are held against the number of classes alone, so that any voxels serve.
        table = pd.DataFrame({"split": ["pool"], "voxels": [[1] * len(collection.classes)]})
        try:
            rare_classes(table, settings.rare_classes, settings.rare_threshold)
        except RarelensError as error:
            problems += error.problems
    return [f"params.yaml: datasets.{collection.name}.{problem}" for problem in problems]


def _needs(parameters: Parameters, collections: dict[str, Collection]) -> list[str]:
    """Lines on cells, disk, memory and hours."""
    listed = cells_of("segmentation", parameters.study.segmentation)
    cells = [cell for cell in listed if cell == cell.base]  # the post-hoc ones train nothing
    found = [_Past.of(_job(cell, parameters)) for cell in cells]
    past = [p for p in found if p is not None]
    left = len(cells) - sum(p.current for p in past)
    arrays = sum(_prepared_bytes(c, parameters.datasets[n]) for n, c in collections.items())
    lines = [
        f"cells: {len(cells)}, of which {len(cells) - left} are trained",
        f"disk: prepared data about {arrays / GIB:.2f} GiB",
    ]
    if not past:
        return [*lines, "memory, hours, disk per cell: known once a cell has been trained"]
    per_cell = float(np.mean([p.disk for p in past]))
    seconds = float(np.mean([p.seconds for p in past]))
    total = per_cell * len(cells) / GIB
    return [
        *lines,
        f"disk: about {per_cell / 2**20:.1f} MiB a cell, {total:.2f} GiB in all",
        f"memory: {max(p.memory for p in past):.0f} MiB at the peak of past trainings",
        f"hours: about {seconds * left / 3600:.2f} of training for {left} cells to come "
        f"({seconds:.0f} s each so far)",
    ]


def _job(cell: Cell, parameters: Parameters) -> Job:
    """The training of a cell by today's parameters."""
    data = parameters.datasets[cell.dataset]
    return Job(
        cell=cell,
        network=parameters.networks[cell.network],
        method=parameters.methods.segmentation[cell.method],
        settings=parameters.train.segmentation,
        preprocess=data.preprocess,
        patch_size=data.patch_size,
        rare_classes=data.rare_classes,
        rare_threshold=data.rare_threshold,
    )


@dataclass(frozen=True)
class _Past:
    """What a trained cell took (bytes, seconds, MiB), and whether by today's parameters."""

    current: bool
    disk: int
    seconds: float
    memory: float

    @classmethod
    def of(cls, job: Job) -> _Past | None:
        """What the record of the job's cell says; None without one."""
        cell = job.cell
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
        current = values["parameters"] == job.as_dict()
        return cls(current, disk, values["seconds"], values["peak_memory_mib"])


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
