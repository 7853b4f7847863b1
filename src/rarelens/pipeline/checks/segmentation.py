"""Check the segmentation study before anything runs."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path

import torch
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
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.splits import rare_classes, training_subset
from rarelens.studies.extraction.layers import check_covering, check_layers
from rarelens.studies.extraction.segmentation.source import (
    Fit,
    bias_without_cases,
    build_adjustment,
)
from rarelens.studies.models.segmentation.model import build_network, training_patch
from rarelens.studies.settings.methods import Layers, Network
from rarelens.studies.settings.segmentation.datasets import Dataset
from rarelens.studies.training.segmentation.builders import check_method


def check_parameters(parameters: Parameters) -> list[str]:
    """Problems of the segmentation study that its parameters alone show."""
    study = parameters.study.segmentation
    problems = unknown_names("segmentation", study, parameters, Dataset)
    problems += without_layers(study, parameters)
    if problems or not study.datasets:
        return problems
    for method in study.methods:
        problems += told(partial(check_method, method, parameters.methods.segmentation[method]))
    for name in study.adjustments:
        problems += told(partial(_check_adjustment, parameters, name))
    for network, dataset in product(study.networks, study.datasets):
        problems += told(partial(_check_fit, parameters, network, dataset))
    problems += precision("segmentation", parameters.train.segmentation.precision)
    for dataset in study.datasets:
        split = _dataset(parameters, dataset).split
        if split.file is None and split.validation == 0:
            problems += without_validation(parameters, dataset)
    return problems


def check_prepared(parameters: Parameters, prepared: Path) -> list[str]:
    """Problems of the segmentation study that its prepared cases show."""
    study = parameters.study.segmentation
    problems: list[str] = []
    for name in study.datasets:
        settings = _dataset(parameters, name)
        data = PreparedDataset(prepared / name)
        for fraction, seed in product(study.fractions, study.seeds):
            problems += told(partial(_check_subset, data, settings, str(fraction), seed))
        if not data.cases("validation"):
            problems += without_validation(parameters, name)
    return problems


def without_validation(parameters: Parameters, dataset: str) -> list[str]:
    """Problems of the segmentation study if this dataset of it has no validation cases."""
    train = parameters.train.segmentation
    problems = list(selection("segmentation", train.select, train.patience, dataset))
    for name in parameters.study.segmentation.adjustments:
        if name in parameters.adjustments.segmentation:
            problems += told(partial(_check_without_cases, parameters, name, dataset))
    return problems


def _check_adjustment(parameters: Parameters, name: str) -> Fit:
    """Build a post-hoc control as if for two classes, the second of them rare."""
    settings = parameters.adjustments.segmentation[name]
    return build_adjustment(settings, [0.5, 0.5], [1], f"adjustments.segmentation.{name}")


def _check_without_cases(parameters: Parameters, name: str, dataset: str) -> None:
    fit = _check_adjustment(parameters, name)
    bias_without_cases(fit, f"adjustments.segmentation.{name}", dataset)


def _check_subset(data: PreparedDataset, settings: Dataset, fraction: str, seed: int) -> None:
    try:
        rare = rare_classes(data.table, settings.rare_classes, settings.rare_threshold)
    except RarelensError as error:
        raise RarelensError(f"params.yaml: datasets.{data.name}.{error}") from error
    training_subset(data.table, fraction, seed, rare)


def _check_fit(parameters: Parameters, network: str, dataset: str) -> None:
    """Run the network's shapes, without its numbers, over one patch; look at its layers."""
    patch = _dataset(parameters, dataset).patch_size
    with torch.device("meta"):
        module = built(parameters.networks[network], f"networks.{network}", _two_classes)
        try:
            patch, window = training_patch(module, patch)
            shape = tuple(module(torch.empty(1, 1, *window)).shape)
        except (RuntimeError, ValueError):
            shape = ()
    if shape != (1, 2, *patch):
        raise RarelensError(
            f"params.yaml: datasets.{dataset}.patch_size: networks.{network} does not take patches "
            f"of {list(patch)} voxels; choose multiples of its total stride"
        )
    _check_layers(module, parameters.layers[network], patch, f"params.yaml: layers.{network}")


def _check_layers(
    module: nn.Module, layers: Layers, patch: tuple[int, int, int], path: str
) -> None:
    if layers.units:
        check_covering(module, f"{path}.units")
        check_layers(module, layers.units, 1, patch, path)


def _two_classes(settings: Network) -> nn.Module:
    return build_network(settings, channels=1, classes=2)


def _dataset(parameters: Parameters, name: str) -> Dataset:
    """A dataset of volumes, as `unknown_names` has made sure."""
    found = parameters.datasets[name]
    assert isinstance(found, Dataset)
    return found
