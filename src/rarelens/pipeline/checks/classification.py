"""Check the classification study before anything runs."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path

from torch import nn

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.common import (
    built,
    precision,
    selection,
    told,
    unknown_names,
    without_layers,
)
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.data.classification.splits import image_subset
from rarelens.studies.extraction.classification.saliency import METHODS
from rarelens.studies.extraction.layers import check_layers, of_classifier
from rarelens.studies.models.classification.classifier import build_classifier
from rarelens.studies.settings.classification.datasets import ImageDataset
from rarelens.studies.settings.methods import Network
from rarelens.studies.training.classification.builders import check_classification_method
from rarelens.studies.training.classification.heads import check_retraining


def check_parameters(parameters: Parameters) -> list[str]:
    """Problems of the classification study that its parameters alone show."""
    study = parameters.study.classification
    problems = unknown_names("classification", study, parameters, ImageDataset)
    problems += without_layers(study, parameters)
    if problems or not study.datasets:
        return problems
    for method in study.methods:
        own = parameters.methods.classification[method]
        problems += told(partial(check_classification_method, method, own))
    for name in study.adjustments:
        settings = parameters.adjustments.classification[name]
        problems += told(partial(check_retraining, name, settings))
    problems += [
        f"params.yaml: extract.classification.saliency.{number}: there is no {name!r}; choose one "
        f"of {', '.join(METHODS)}"
        for number, name in enumerate(parameters.extract.classification.saliency)
        if name not in METHODS
    ]
    for network, dataset in product(study.networks, study.datasets):
        problems += told(partial(_check_network, parameters, network, dataset))
    problems += precision("classification", parameters.train.classification.precision)
    for dataset in study.datasets:
        split = _dataset(parameters, dataset).split
        if split.file is None and not split.official and split.validation == 0:
            problems += without_validation(parameters, dataset)
    return problems


def check_prepared(parameters: Parameters, prepared: Path) -> list[str]:
    """Problems of the classification study that its prepared images show."""
    study = parameters.study.classification
    problems: list[str] = []
    for name in study.datasets:
        data = PreparedImages(prepared / name)
        for fraction, seed in product(study.fractions, study.seeds):
            problems += told(partial(image_subset, data.table, str(fraction), seed))
        if not len(data.rows("validation")):
            problems += without_validation(parameters, name)
        if data.concepts.empty:
            problems += without_regions(name)
    return problems


def without_validation(parameters: Parameters, dataset: str) -> list[str]:
    """Problems of the classification study if this dataset of it has no validation images."""
    train = parameters.train.classification
    return [
        *selection("classification", train.select, train.patience, dataset),
        f"params.yaml: datasets.{dataset}.split.validation: thresholds and calibration are fitted "
        "on validation images, and there are none; raise it",
    ]


def without_regions(dataset: str) -> list[str]:
    """Problems of the classification study if no image of this dataset of it has a region."""
    return [
        f"{dataset}: no image has a box or mask, so there is nothing to look for inside the "
        "networks; add some to the dataset"
    ]


def _check_network(parameters: Parameters, network: str, dataset: str) -> None:
    """Look at the network's layers, over one empty image of the dataset."""
    settings, path = parameters.networks[network], f"networks.{network}"
    preprocess = _dataset(parameters, dataset).preprocess
    channels = 1 if preprocess.channels == "grey" else 3

    def build(each: Network) -> nn.Module:
        return build_classifier(each, channels, 2)

    module = built(settings, path, build)
    path = f"params.yaml: layers.{network}"
    units, saliency = of_classifier(parameters.layers[network], path)
    try:
        check_layers(module, (*units, saliency), channels, preprocess.image_size, path)
    except (RuntimeError, ValueError) as error:
        raise RarelensError(
            f"params.yaml: datasets.{dataset}.preprocess.image_size: networks.{network} does not "
            f"take images of {list(preprocess.image_size)} pixels; enlarge them"
        ) from error


def _dataset(parameters: Parameters, name: str) -> ImageDataset:
    """A dataset of images, as `unknown_names` has made sure."""
    found = parameters.datasets[name]
    assert isinstance(found, ImageDataset)
    return found
