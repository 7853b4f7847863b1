"""What the raw files of the classification study show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rarelens.errors import shortened
from rarelens.pipeline.checks.classification import ClassificationChecks, without_regions
from rarelens.pipeline.checks.files import NOT_AS_WANTED, RAW, StudyFiles
from rarelens.pipeline.checks.files.passed import Passed
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.collection import (
    ImageCollection,
    choose_labels,
    count_concepts,
    prepared_bytes,
)
from rarelens.studies.data.classification.problems import problems_by_image, problems_of_classes
from rarelens.studies.data.classification.splits import assign_image_splits
from rarelens.studies.settings.classification.datasets import ImageDataset, SimulateFindings
from rarelens.studies.training.classification.job import ClassificationJob


class ClassificationFiles(StudyFiles[ImageDataset, ImageCollection]):
    """Images."""

    case = "image"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(ClassificationChecks(parameters))

    def outdated(self, present: ImageCollection, settings: ImageDataset) -> str:
        """By its number of subjects and its findings."""
        wanted = settings.simulate
        assert isinstance(wanted, SimulateFindings)
        subjects = {entry.group for entry in present.images}
        current = present.classes == tuple(wanted.findings) and len(subjects) == wanted.subjects
        return "" if current else NOT_AS_WANTED

    def check(
        self, name: str, settings: ImageDataset, present: ImageCollection | None
    ) -> Iterator[str]:
        """Of its files, then of its parameters that its images show."""
        if present is None:
            return
        collection = choose_labels(present, settings.preprocess)
        self.prepared += prepared_bytes(collection, settings.preprocess)
        yield from shortened(list(_read_problems(collection)))
        yield from problems_of_classes(collection)
        if not count_concepts(collection):
            yield from without_regions(name)
        else:
            self.notes += _classes_without_regions(name, collection)
        splits = assign_image_splits(collection, settings.split, RAW / name)
        yield from self.check_split(name, splits["split"])

    def parameters_of(self, cell: Cell) -> dict[str, Any]:
        """As `ClassificationJob` has them."""
        job = ClassificationJob(
            cell=cell,
            network=self.checks.parameters.networks[cell.network],
            method=self.checks.methods[cell.method],
            settings=self.checks.train,
            preprocess=self.checks.datasets[cell.dataset].preprocess,
        )
        return job.as_dict()


def _classes_without_regions(name: str, collection: ImageCollection) -> Iterator[str]:
    """A sentence if some classes have labels only."""
    placed = {region.label for entry in collection.images for region in entry.regions}
    lacking = [own for label, own in enumerate(collection.classes) if label not in placed]
    if lacking:
        yield (
            f"{name}: no image has a box or mask of {', '.join(lacking)}: AUROC and AP are "
            "measured of them, where saliency looks and what units detect is not"
        )


def _read_problems(collection: ImageCollection) -> Iterator[str]:
    """Of the images, but for those that passed before and are as they were."""
    with Passed(collection.name, None) as passed:
        stamps = {
            entry.image: passed.stamp([entry.source.file], (entry.size, repr(entry.regions)))
            for entry in collection.images
        }
        unread = [e for e in collection.images if not passed.has(e.image, stamps[e.image])]
        found = problems_by_image(replace(collection, images=tuple(unread)))
        for entry, problems in zip(unread, found, strict=True):
            yield from problems
            if not problems:
                passed.add(entry.image, stamps[entry.image])
