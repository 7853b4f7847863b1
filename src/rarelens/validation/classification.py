"""The classification study as ``rarelens validate`` sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rarelens.cells import Cell, cells_of
from rarelens.config.images import ImageDataset
from rarelens.config.whole import Parameters
from rarelens.data.images.collection import prepared_bytes, settled
from rarelens.data.images.layouts import read_image_collection
from rarelens.data.images.problems import find_image_problems
from rarelens.data.images.splits import assign_image_splits
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
            _look_at(name, settings, look)
    if not look.problems:
        look.trainings = _trainings(parameters)
    return look


def _look_at(name: str, settings: ImageDataset, look: Look) -> None:
    folder = RAW / name
    if settings.simulate is not None and not folder.exists():
        look.notes.append(f"{name}: not simulated yet; `dvc repro` does so first")
        return
    problems: list[str] = []
    try:
        collection = settled(
            read_image_collection(settings.layout, folder, name), settings.preprocess
        )
        problems += find_image_problems(collection)
        look.prepared += prepared_bytes(collection, settings.preprocess)
        assign_image_splits(collection, settings.split, folder)
    except RarelensError as error:
        problems += error.problems
    if problems and settings.simulate is not None:
        look.notes.append(f"{name}: not as wanted; `dvc repro` simulates it anew first")
        return
    look.problems += problems


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
