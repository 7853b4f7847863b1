"""Checks of the classification study."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.memory import refuse_memory
from rarelens.pipeline.checks.study import StudyChecks
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.data.classification.splits import image_subset
from rarelens.studies.data.prepared import CHECKED, REMEDY, digest_of
from rarelens.studies.extraction.classification.probe import layers_of
from rarelens.studies.extraction.classification.saliency import METHODS
from rarelens.studies.extraction.layers import check_layers
from rarelens.studies.models.classification.model import build_classifier
from rarelens.studies.models.storage import INITIAL_WEIGHTS, without_numbers
from rarelens.studies.settings.classification.datasets import ImageDataset
from rarelens.studies.settings.methods import Network
from rarelens.studies.training.classification.builders import (
    build_retraining,
    check_classification_method,
)


class ClassificationChecks(StudyChecks[ImageDataset]):
    """Of the classification study."""

    task = "classification"
    kind = ImageDataset

    def check_method(self, name: str) -> None:
        """As `StudyChecks.check_method`."""
        check_classification_method(name, self.methods[name])

    def check_adjustment(self, name: str) -> None:
        """Classifiers are adjusted by retraining them."""
        build_retraining(name, self.adjustments[name])

    def check_settings(self) -> list[str]:
        """Saliency methods."""
        return [
            f"params.yaml: extract.classification.saliency.{number}: there is no {name!r}; choose "
            f"one of {', '.join(METHODS)}"
            for number, name in enumerate(self.parameters.extract.classification.saliency)
            if name not in METHODS
        ]

    def check_network(self, network: str, dataset: str) -> None:
        """Look at the network's layers, over one empty image of the dataset."""
        preprocess = self.datasets[dataset].preprocess
        channels = 1 if preprocess.channels == "grey" else 3
        settings, path = self.parameters.networks[network], f"params.yaml: layers.{network}"
        batch = (self.train.batch_size, channels, *preprocess.image_size)
        lower = f"datasets.{dataset}.preprocess.image_size, train.classification.batch_size"
        drawn = Network(**settings.model_dump(exclude={INITIAL_WEIGHTS}))
        with without_numbers(), suppress(RuntimeError, ValueError):
            # What does not take the images is told below.
            light = build_classifier(drawn, channels, 2, f"networks.{network}").eval()
            refuse_memory(light, batch, lower, f"networks.{network}")
        module = build_classifier(settings, channels, 2, f"networks.{network}").eval()
        units, saliency = layers_of(self.parameters.layers[network], path)
        try:
            check_layers(module, (*units, saliency), channels, preprocess.image_size, path)
        except (RuntimeError, ValueError) as error:
            raise RarelensError(
                f"params.yaml: datasets.{dataset}.preprocess.image_size: networks.{network} does "
                f"not take images of {list(preprocess.image_size)} pixels; enlarge them"
            ) from error

    def has_validation(self, dataset: ImageDataset) -> bool:
        """A split file or official lists may name some."""
        split = dataset.split
        return split.file is not None or split.official or split.validation > 0

    def fitted_on_validation(self, dataset: str) -> Iterator[str]:
        """Thresholds and calibration."""
        yield (
            f"params.yaml: datasets.{dataset}.split.validation: thresholds and calibration are "
            "fitted on validation images, and there are none; raise it"
        )

    def open(self, folder: Path) -> PreparedImages:
        """Prepared images."""
        return PreparedImages(folder)

    def check_subset(self, data: PreparedImages, fraction: str, seed: int) -> list[str]:
        """As `StudyChecks.check_subset`."""
        return image_subset(data.table, fraction, seed)

    def check_data(self, data: PreparedImages) -> list[str]:
        """What finds regions needs some, and they are those that were prepared.

        The masks are held against their digests here, once; those of a large dataset are not.
        """
        if data.concepts.empty:
            return without_regions(data.name)
        if len(data.concepts) * math.prod(data.size) > CHECKED or "digest" not in data.concepts:
            return []
        return [
            f"{data.folder}: concepts.npy, mask {position}: not as it was prepared; {REMEDY}"
            for position, digest in enumerate(data.concepts["digest"])
            if digest_of(data.masks([position])) != digest
        ]


def without_regions(dataset: str) -> list[str]:
    """Problems of the classification study if no image of this dataset of it has a region."""
    return [
        f"{dataset}: no image has a box or mask, so there is nothing to look for inside the "
        "networks; add some to the dataset"
    ]
