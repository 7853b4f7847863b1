"""What the raw files of the segmentation study show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.files import RAW, StudyFiles
from rarelens.pipeline.checks.files.passed import Passed
from rarelens.pipeline.checks.segmentation import SegmentationChecks
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.cells import Cell
from rarelens.studies.data.segmentation.collection import (
    CaseFiles,
    Collection,
    grid_of,
    load_images,
)
from rarelens.studies.data.segmentation.intensity import per_channel
from rarelens.studies.data.segmentation.problems import problems_of
from rarelens.studies.data.segmentation.splits import assign_splits, rare_classes
from rarelens.studies.settings.segmentation.datasets import Dataset, ZScore
from rarelens.studies.training.segmentation.job import SegmentationJob

MANY_CLASSES = 50
# Of one core, by `benchmarks/many_classes.py`: of a class and a logit, of a logit of a voxel.
SECONDS_PAIR, SECONDS_LOGIT, BYTES_LOGIT = 1e-5, 7e-8, 20


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
                shapes = [_prepared_shape(case, settings) for case in present.cases]
                self.prepared += sum(map(np.prod, shapes)) * _bytes_per_voxel(present, settings)
                self.notes += _smaller_than_patch(name, shapes, settings)
                self.notes += _without_air(name, present, settings)
                self.notes += _many_classes(present, [float(np.prod(own)) for own in shapes])

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
        try:  # Given classes are held against the dataset's alone, so that no table is looked at.
            rare_classes(
                pd.DataFrame(), collection.classes, settings.rare_classes, settings.rare_threshold
            )
        except RarelensError as error:
            problems += error.problems
    return [f"params.yaml: datasets.{collection.name}.{problem}" for problem in problems]


def _bytes_per_voxel(collection: Collection, settings: Dataset) -> int:
    """Of all channels and the label."""
    return len(collection.channels) * (2 if settings.preprocess.dtype == "float16" else 4) + 1


def _prepared_shape(case: CaseFiles, settings: Dataset) -> NDArray[np.float64]:
    """About what it will be along the axes of RAS+, from the file's header and before any crop."""
    shape, affine = grid_of(case.images[0])
    order = np.argsort(nib.io_orientation(affine)[:, 0])
    sizes, own = np.array(shape[:3], np.float64)[order], voxel_sizes(affine)[order]
    spacing = settings.preprocess.spacing
    return sizes if spacing is None else sizes * own / np.array(spacing)


def _smaller_than_patch(
    name: str, shapes: Sequence[NDArray[np.float64]], settings: Dataset
) -> Iterator[str]:
    """A sentence if cases have less than a patch along an axis."""
    patch = settings.patch_size
    small = [shape for shape in shapes if (np.ceil(shape - 0.01) < patch).any()]
    if small:
        shown = " × ".join(f"{side:.0f}" for side in min(small, key=np.prod))
        yield (
            f"{name}: {len(small)} of {len(shapes)} cases are smaller than a patch of "
            f"{' × '.join(map(str, patch))} voxels (one has about {shown}): the "
            f"rest is filled with 0; choose a finer datasets.{name}.preprocess.spacing, or a "
            "smaller patch_size"
        )


def _without_air(name: str, collection: Collection, settings: Dataset) -> Iterator[str]:
    """A sentence if z-scores would be over air too, as far as the first case tells."""
    intensity = per_channel(settings.preprocess.intensity, len(collection.channels))
    first = collection.cases[0]
    for channel, voxels, own in zip(
        collection.channels, load_images(first.images)[0], intensity, strict=True
    ):
        if isinstance(own, ZScore) and voxels.all():
            yield (
                f"{name}: no voxel of {first.case} is 0 in channel {channel}: its z-score is over "
                "the whole volume, air included, and nothing is cropped; set what is outside the "
                "body to 0, or take method clip for CT"
            )


def _many_classes(collection: Collection, voxels: Sequence[float]) -> Iterator[str]:
    """Of many classes, what stage extract takes: it counts each logit of each class."""
    classes = len(collection.classes)
    if classes < MANY_CLASSES:
        return
    seconds = [SECONDS_PAIR * classes**2 + SECONDS_LOGIT * classes * each for each in voxels]
    most = BYTES_LOGIT * classes * max(voxels) / 2**30
    yield (
        f"{collection.name}: {classes} classes: stage extract takes about "
        f"{sum(seconds) / 60:.1f} min a model beside the network's own, and "
        f"{most:.1f} GiB of memory for its largest case"
    )
