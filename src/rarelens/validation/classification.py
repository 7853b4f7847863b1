"""The classification study as ``rarelens validate`` sees it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from rarelens.cells import Cell, cells_of
from rarelens.checks.classification import without_regions, without_validation
from rarelens.config.images import ImageDataset, ImageLayout, SimulateFindings
from rarelens.config.whole import Parameters
from rarelens.data.images.collection import (
    ImageCollection,
    count_concepts,
    prepared_bytes,
    settled,
)
from rarelens.data.images.layouts import read_image_collection
from rarelens.data.images.problems import find_image_problems
from rarelens.data.images.splits import assign_image_splits
from rarelens.data.raw import SIMULATED
from rarelens.data.simulation.ours import refuse_foreign
from rarelens.errors import RarelensError
from rarelens.training.classification.job import ClassificationJob
from rarelens.validation.needs import Look

RAW = Path("data/raw")


def look(parameters: Parameters) -> Look:
    """Look at all datasets of the study; what is wrong with the parameters alone is not told."""
    look = Look()
    for name in parameters.study.classification.datasets:
        settings = parameters.datasets.get(name)
        if isinstance(settings, ImageDataset):
            _look_at(name, settings, parameters, look)
    if not look.problems:
        look.trainings = _trainings(parameters)
    return look


def _look_at(name: str, settings: ImageDataset, parameters: Parameters, look: Look) -> None:
    folder = RAW / name
    try:
        if settings.simulate is not None:
            refuse_foreign(folder)
            if not (folder / SIMULATED).exists():
                look.notes.append(f"{name}: not simulated yet; `dvc repro` does so first")
                return
            if not _is_current(name, settings.layout, settings.simulate):
                look.notes.append(f"{name}: not as wanted; `dvc repro` simulates it anew first")
                return
        collection = settled(
            read_image_collection(settings.layout, folder, name), settings.preprocess
        )
    except RarelensError as error:
        look.problems += error.problems
        return
    look.problems += find_image_problems(collection)
    look.problems += _check_split(collection, settings, parameters)
    look.prepared += prepared_bytes(collection, settings.preprocess)


def _is_current(name: str, layout: ImageLayout, simulate: SimulateFindings) -> bool:
    """Whether as many subjects are on disk, and with the same findings, as will be simulated."""
    try:
        present = read_image_collection(layout, RAW / name, name)
    except RarelensError:
        return False
    subjects = {entry.group for entry in present.images}
    return present.classes == tuple(simulate.findings) and len(subjects) == simulate.subjects


def _check_split(
    collection: ImageCollection, settings: ImageDataset, parameters: Parameters
) -> list[str]:
    """Problems of a dataset's parameters that its images show."""
    name = collection.name
    problems = [] if count_concepts(collection) else without_regions(name)
    try:
        splits = assign_image_splits(collection, settings.split, RAW / name)["split"]
    except RarelensError as error:
        return [*problems, *error.problems]
    if "validation" not in set(splits):
        problems += without_validation(parameters, name)
    pool = int((splits == "pool").sum())
    for fraction in parameters.study.classification.fractions:
        if round(Fraction(str(fraction)) * pool) < 1:
            problems.append(
                f"params.yaml: study.classification.fractions: {fraction} of {name}'s pool of "
                f"{pool} images leaves no training image; raise it or enlarge the pool"
            )
    return problems


def _trainings(parameters: Parameters) -> list[tuple[Cell, dict[str, Any]]]:
    """The cells to be trained by today's parameters, without those whose head is retrained."""
    cells = cells_of("classification", parameters.study.classification)
    jobs = [_job(cell, parameters) for cell in cells if cell == cell.base]
    return [(job.cell, job.as_dict()) for job in jobs if job is not None]


def _job(cell: Cell, parameters: Parameters) -> ClassificationJob | None:
    """The training of a cell; None where a name stands nowhere, which `check_study` tells."""
    data = parameters.datasets.get(cell.dataset)
    network = parameters.networks.get(cell.network)
    method = parameters.methods.classification.get(cell.method)
    if not isinstance(data, ImageDataset) or network is None or method is None:
        return None
    return ClassificationJob(
        cell=cell,
        network=network,
        method=method,
        settings=parameters.train.classification,
        preprocess=data.preprocess,
    )
