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
from rarelens.config.methods import Network
from rarelens.config.volumes import Dataset
from rarelens.config.whole import Parameters
from rarelens.data.prepared import PreparedDataset
from rarelens.data.splits import rare_classes, training_subset
from rarelens.errors import RarelensError
from rarelens.extraction.source import Fit, bias_without_cases, build_adjustment
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
    if parameters.train.segmentation.precision == "fp16" and not torch.cuda.is_available():
        problems.append(
            "params.yaml: train.segmentation.precision: fp16 needs a GPU, and there is none; use "
            "bf16 or no"
        )
    for dataset in study.datasets:
        split = parameters.datasets[dataset].split
        if split.file is None and split.validation == 0:
            problems += without_validation(parameters, dataset)
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
        if not data.subjects("validation"):
            problems += without_validation(parameters, name)
    return list(dict.fromkeys(problems))


def without_validation(parameters: Parameters, dataset: str) -> list[str]:
    """Problems of the segmentation study if this dataset of it has no validation cases."""
    train = parameters.train.segmentation
    needing = [("select", "best", "last")] if train.select == "best" else []
    if train.patience is not None:
        needing.append(("patience", str(train.patience), "null"))
    problems = [
        f"params.yaml: train.segmentation.{key}: {value} needs validation cases, and {dataset} has "
        f"none; set {other}, or give it some by datasets.{dataset}.split"
        for key, value, other in needing
    ]
    for name in parameters.study.segmentation.adjustments:
        if name in parameters.adjustments.segmentation:
            problems += _told(partial(_check_without_cases, parameters, name, dataset))
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


def _told(action: Callable[[], object]) -> tuple[str, ...]:
    """The problems that ``action`` raises."""
    try:
        action()
    except RarelensError as error:
        return error.problems
    return ()
