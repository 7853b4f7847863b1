"""The segmentation study as ``rarelens validate`` sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.segmentation import without_validation
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.pipeline.validation.needs import Look, fractions_too_small, trainings_of
from rarelens.studies.cells import Cell
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.raw import SIMULATED, refuse_foreign
from rarelens.studies.data.segmentation.collection import CaseFiles, Collection
from rarelens.studies.data.segmentation.intensity import per_channel
from rarelens.studies.data.segmentation.problems import find_problems
from rarelens.studies.data.segmentation.splits import assign_splits, rare_classes
from rarelens.studies.settings.segmentation.datasets import Dataset
from rarelens.studies.training.segmentation.job import Job

RAW = Path("data/raw")


def look(parameters: Parameters) -> Look:
    """Look at all datasets of the study; what is wrong with the parameters alone is not told."""
    look = Look()
    for name in parameters.study.segmentation.datasets:
        settings = parameters.datasets.get(name)
        if not isinstance(settings, Dataset):
            continue
        try:
            found = _find(name, settings, look.notes)
        except RarelensError as error:
            look.problems += error.problems
            continue
        look.problems += _check_settings(found.planned, settings, parameters)
        if found.present is not None:
            look.problems += find_problems(found.present)
        if found.present is not None and not look.problems:
            look.prepared += _prepared_bytes(found.present, settings)
    if not look.problems:
        study = parameters.study.segmentation
        look.trainings = trainings_of("segmentation", study, partial(_training, parameters))
    return look


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
    refuse_foreign(folder)
    # As `rarelens.studies.data.segmentation.simulation.cohort` writes it.
    subjects = settings.simulate.subjects
    cases = tuple(CaseFiles(f"{name}_{number:03d}", (), None) for number in range(subjects))
    planned = Collection(name, ("T1",), ("background", "lesion"), cases)
    if not (folder / SIMULATED).exists():
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


def _check_settings(collection: Collection, settings: Dataset, parameters: Parameters) -> list[str]:
    """Problems of a dataset's parameters that its cases, channels and classes show."""
    name = collection.name
    problems = _check_description(collection, settings)
    try:
        cases = [case.case for case in collection.cases]
        splits = assign_splits(cases, settings.split, RAW / name)
    except RarelensError as error:
        return [*problems, *error.problems]
    if "validation" not in set(splits["split"]):
        problems += without_validation(parameters, name)
    pool = int((splits["split"] == "pool").sum())
    study = parameters.study.segmentation
    return [*problems, *fractions_too_small("segmentation", study, name, pool, "case")]


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


def _training(parameters: Parameters, cell: Cell) -> dict[str, Any] | None:
    """The parameters of a cell's training; None where a name of it stands nowhere."""
    data = parameters.datasets.get(cell.dataset)
    network = parameters.networks.get(cell.network)
    method = parameters.methods.segmentation.get(cell.method)
    if not isinstance(data, Dataset) or network is None or method is None:
        return None
    job = Job(
        cell=cell,
        network=network,
        method=method,
        settings=parameters.train.segmentation,
        preprocess=data.preprocess,
        patch_size=data.patch_size,
        rare_classes=data.rare_classes,
        rare_threshold=data.rare_threshold,
    )
    return job.as_dict()


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
