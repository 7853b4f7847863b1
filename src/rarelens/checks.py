"""Check a study before anything runs: names, options, sizes, cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path

import torch
from pydantic import BaseModel
from torch import nn

from rarelens.components import check_options, find
from rarelens.config import Dataset, Network, Parameters
from rarelens.data.prepared import PreparedDataset
from rarelens.data.splits import rare_classes, training_subset
from rarelens.errors import RarelensError
from rarelens.extraction.source import GIVEN_TO_ADJUSTMENTS
from rarelens.model import GIVEN_TO_NETWORKS, build_network, training_patch
from rarelens.training.builders import check_method


def check_study(parameters: Parameters) -> list[str]:
    """Problems of the segmentation study that its parameters alone show."""
    study = parameters.study.segmentation
    problems = [
        *_unknown("datasets", study.datasets, parameters.datasets),
        *_unknown("networks", study.networks, parameters.networks),
        *_unknown("methods", study.methods, parameters.methods.segmentation),
        *_unknown("adjustments", study.adjustments, parameters.adjustments.segmentation),
        *_simulated(parameters),
    ]
    if problems:
        return problems
    for method in study.methods:
        problems += _told(partial(check_method, method, parameters.methods.segmentation[method]))
    for name in study.adjustments:
        problems += _told(partial(_check_adjustment, parameters, name))
    for network, dataset in product(study.networks, study.datasets):
        problems += _told(partial(_check_fit, parameters, network, dataset))
    return list(dict.fromkeys(problems))


def check_prepared(parameters: Parameters, prepared: Path) -> list[str]:
    """Problems of the segmentation study that its prepared cases show."""
    study = parameters.study.segmentation
    problems: list[str] = []
    for name in study.datasets:
        settings = parameters.datasets[name]
        data = PreparedDataset(prepared / name)
        for fraction, seed in product(study.fractions, study.seeds):
            problems += _told(partial(_check_subset, data, settings, str(fraction), seed))
    return list(dict.fromkeys(problems))


def _check_adjustment(parameters: Parameters, name: str) -> None:
    settings = parameters.adjustments.segmentation[name]
    component = find("adjustments", settings.adjustment)
    path = f"adjustments.segmentation.{name}"
    check_options(component, settings.options, GIVEN_TO_ADJUSTMENTS, path)


def _check_subset(data: PreparedDataset, settings: Dataset, fraction: str, seed: int) -> None:
    rare = rare_classes(data.table, settings.rare_classes, settings.rare_threshold)
    training_subset(data.table, fraction, seed, rare)


def _check_fit(parameters: Parameters, network: str, dataset: str) -> None:
    """Run the network's shapes, without its numbers, over one patch of the dataset."""
    patch = parameters.datasets[dataset].patch_size
    with torch.device("meta"):
        module = _built(parameters.networks[network], f"networks.{network}")
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


def _built(settings: Network, path: str) -> nn.Module:
    """The network in evaluation mode; what it refuses is told with its path."""
    component = find("networks", settings.network)
    check_options(component, settings.options, GIVEN_TO_NETWORKS, path)
    try:
        return build_network(settings, channels=1, classes=2).eval()
    except (RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())
        raise RarelensError(f"params.yaml: {path}: not to be built: {message}") from error


def _unknown(kind: str, named: tuple[str, ...], known: Mapping[str, BaseModel]) -> Iterator[str]:
    for name in named:
        if name not in known:
            yield (
                f"params.yaml: study.segmentation.{kind}: there is no {name!r}; choose one of "
                f"{', '.join(known)}"
            )


def _simulated(parameters: Parameters) -> Iterator[str]:
    named, defined = (
        set(parameters.study.simulated),
        {name for name, dataset in parameters.datasets.items() if dataset.simulate is not None},
    )
    for name in sorted(named - defined):
        yield f"params.yaml: study.simulated: datasets.{name} has no section simulate; add it"
    for name in sorted((defined - named) & set(parameters.study.segmentation.datasets)):
        yield f"params.yaml: study.simulated: {name!r} is simulated; name it here"


def _told(action: Callable[[], None]) -> tuple[str, ...]:
    """The problems that ``action`` raises."""
    try:
        action()
    except RarelensError as error:
        return error.problems
    return ()
