"""What the raw files of the segmentation study show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.files import RAW, StudyFiles
from rarelens.pipeline.checks.files.passed import Passed
from rarelens.pipeline.checks.segmentation import SegmentationChecks
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.cells import Cell
from rarelens.studies.data.segmentation.collection import CaseFiles, Collection
from rarelens.studies.data.segmentation.intensity import per_channel
from rarelens.studies.data.segmentation.problems import problems_of
from rarelens.studies.data.segmentation.splits import assign_splits, rare_classes
from rarelens.studies.settings.segmentation.datasets import Dataset
from rarelens.studies.training.segmentation.job import SegmentationJob


class SegmentationFiles(StudyFiles[Dataset, Collection]):
    """Volumes; a cohort that is still to be simulated is checked as it will be."""

    case = "case"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(SegmentationChecks(parameters))

    def outdated(self, present: Collection, settings: Dataset) -> str:
        """By its number of subjects."""
        assert settings.simulate is not None
        there, wanted = len(present.cases), settings.simulate.subjects
        if there == wanted:
            return ""
        return f"{there} subjects on disk, {wanted} wanted; `dvc repro` simulates them anew first"

    def check(self, name: str, settings: Dataset, present: Collection | None) -> Iterator[str]:
        """Of its parameters that its cases, channels and classes show, then of its files."""
        simulated = settings.simulate
        planned = present if simulated is None else _cohort(name, simulated.subjects)
        assert planned is not None  # Only what is simulated may be still to come.
        yield from _check_description(planned, settings)
        try:
            cases = [case.case for case in planned.cases]
            splits = assign_splits(cases, settings.split, RAW / name)["split"]
        except RarelensError as error:
            yield from error.problems
        else:
            yield from self.check_split(name, splits)
        if present is not None:
            yield from _read_problems(present)
            if not self.problems:
                self.prepared += _prepared_bytes(present, settings)

    def parameters_of(self, cell: Cell) -> dict[str, Any]:
        """As `SegmentationJob` has them."""
        data = self.checks.datasets[cell.dataset]
        job = SegmentationJob(
            cell=cell,
            network=self.checks.parameters.networks[cell.network],
            method=self.checks.methods[cell.method],
            settings=self.checks.train,
            preprocess=data.preprocess,
            patch_size=data.patch_size,
            rare_classes=data.rare_classes,
            rare_threshold=data.rare_threshold,
        )
        return job.as_dict()


def _read_problems(collection: Collection) -> Iterator[str]:
    """Of the cases, but for those that passed before and are as they were."""
    with Passed(collection.name, [len(collection.channels), len(collection.classes)]) as passed:
        for case in collection.cases:
            label = () if case.label is None else (case.label,)
            stamp = passed.stamp((*case.images, *label))
            if not passed.has(case.case, stamp):
                problems = problems_of(case, collection)
                yield from problems
                if not problems:
                    passed.add(case.case, stamp)


def _cohort(name: str, subjects: int) -> Collection:
    """As `rarelens.studies.data.segmentation.simulation.cohort` writes it."""
    cases = tuple(CaseFiles(f"{name}_{number:03d}", (), None) for number in range(subjects))
    return Collection(name, ("T1",), ("background", "lesion"), cases)


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
