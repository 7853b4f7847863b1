"""The classification study as ``rarelens validate`` sees it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.classification import without_regions, without_validation
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.pipeline.validation.needs import Look, fractions_too_small, trainings_of
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.collection import (
    ImageCollection,
    choose_labels,
    count_concepts,
    prepared_bytes,
)
from rarelens.studies.data.classification.problems import find_image_problems
from rarelens.studies.data.classification.splits import assign_image_splits
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.raw import SIMULATED, refuse_foreign
from rarelens.studies.settings.classification.datasets import ImageDataset, SimulateFindings
from rarelens.studies.training.classification.job import ClassificationJob

RAW = Path("data/raw")


def look(parameters: Parameters) -> Look:
    """Look at all datasets of the study; what is wrong with the parameters alone is not told."""
    look = Look()
    for name in parameters.study.classification.datasets:
        settings = parameters.datasets.get(name)
        if isinstance(settings, ImageDataset):
            _look_at(name, settings, parameters, look)
    if not look.problems:
        study = parameters.study.classification
        look.trainings = trainings_of("classification", study, partial(_training, parameters))
    return look


def _look_at(name: str, settings: ImageDataset, parameters: Parameters, look: Look) -> None:
    try:
        present = _read(name, settings, look.notes)
        if present is None:
            return
        collection = choose_labels(present, settings.preprocess)
    except RarelensError as error:
        look.problems += error.problems
        return
    look.problems += find_image_problems(collection)
    look.problems += _check_split(collection, settings, parameters)
    look.prepared += prepared_bytes(collection, settings.preprocess)


def _read(name: str, settings: ImageDataset, notes: list[str]) -> ImageCollection | None:
    """Read a dataset; of one that is still to be simulated there is a note instead."""
    folder, wanted = RAW / name, settings.simulate
    if wanted is None:
        own: ImageCollection = read_collection(settings.layout, folder, name)
        return own
    refuse_foreign(folder)
    if not (folder / SIMULATED).exists():
        notes.append(f"{name}: not simulated yet; `dvc repro` does so first")
        return None
    # What is there and will be replaced may be broken in any way.
    with suppress(RarelensError):
        present: ImageCollection = read_collection(settings.layout, folder, name)
        if _is_current(present, wanted):
            return present
    notes.append(f"{name}: not as wanted; `dvc repro` simulates it anew first")
    return None


def _is_current(present: ImageCollection, wanted: SimulateFindings) -> bool:
    """Whether it has as many subjects, with the same findings, as will be simulated."""
    subjects = {entry.group for entry in present.images}
    return present.classes == tuple(wanted.findings) and len(subjects) == wanted.subjects


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
    study = parameters.study.classification
    return [*problems, *fractions_too_small("classification", study, name, pool, "image")]


def _training(parameters: Parameters, cell: Cell) -> dict[str, Any] | None:
    """The parameters of a cell's training; None where a name of it stands nowhere."""
    data = parameters.datasets.get(cell.dataset)
    network = parameters.networks.get(cell.network)
    method = parameters.methods.classification.get(cell.method)
    if not isinstance(data, ImageDataset) or network is None or method is None:
        return None
    job = ClassificationJob(
        cell=cell,
        network=network,
        method=method,
        settings=parameters.train.classification,
        preprocess=data.preprocess,
    )
    return job.as_dict()
