"""Checks that both studies share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from pydantic import BaseModel
from torch import nn

from rarelens.errors import RarelensError
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.building import check_options, find
from rarelens.studies.data.classification.simulation.shapes import check_shapes
from rarelens.studies.models.storage import GIVEN_TO_NETWORKS
from rarelens.studies.settings.classification.datasets import SimulateFindings
from rarelens.studies.settings.methods import Network
from rarelens.studies.settings.study import Study


def unknown_names(
    task: str,
    study: Study,
    parameters: Parameters,
    dataset_kind: type[BaseModel],
) -> list[str]:
    """Names in a study's lists that stand nowhere, and datasets of the other task."""
    methods: Mapping[str, BaseModel] = getattr(parameters.methods, task)
    adjustments: Mapping[str, BaseModel] = getattr(parameters.adjustments, task)
    datasets = {
        name: dataset
        for name, dataset in parameters.datasets.items()
        if isinstance(dataset, dataset_kind)
    }
    return [
        *_unknown(f"study.{task}.datasets", study.datasets, datasets),
        *_unknown(f"study.{task}.networks", study.networks, parameters.networks),
        *_unknown(f"study.{task}.methods", study.methods, methods),
        *_unknown(f"study.{task}.adjustments", study.adjustments, adjustments),
    ]


def without_layers(study: Study, parameters: Parameters) -> Iterator[str]:
    """Networks of a study that there are, but of which nobody said where to look into them."""
    known = parameters.networks if study.datasets else {}
    for name in study.networks:
        if name in known and name not in parameters.layers:
            yield (
                f"params.yaml: layers.{name}: missing; name the modules of {name} that are looked "
                "into"
            )


def simulated(parameters: Parameters) -> Iterator[str]:
    """Datasets named to be simulated that say not how, and the other way round."""
    study = parameters.study
    named = set(study.simulated)
    defined = {name for name, each in parameters.datasets.items() if each.simulate is not None}
    used = {*study.segmentation.datasets, *study.classification.datasets}
    for name in sorted(named - defined):
        yield f"params.yaml: study.simulated: datasets.{name} has no section simulate; add it"
    for name in sorted((defined - named) & used):
        yield f"params.yaml: study.simulated: {name!r} is simulated; name it here"
    for name in sorted(named & defined):
        settings = parameters.datasets[name].simulate
        if isinstance(settings, SimulateFindings):
            yield from told(partial(check_shapes, name, settings))


def precision(task: str, setting: str) -> Iterator[str]:
    """Half precision where there is no GPU for it."""
    if setting == "fp16" and not torch.cuda.is_available():
        yield (
            f"params.yaml: train.{task}.precision: fp16 needs a GPU, and there is none; use bf16 "
            "or no"
        )


def selection(task: str, select: str, patience: int | None, dataset: str) -> Iterator[str]:
    """Settings of a training that need validation cases, of which the dataset has none."""
    needing = [("select", "best", "last")] if select == "best" else []
    if patience is not None:
        needing.append(("patience", str(patience), "null"))
    for key, value, other in needing:
        yield (
            f"params.yaml: train.{task}.{key}: {value} needs validation cases, and {dataset} has "
            f"none; set {other}, or give it some by datasets.{dataset}.split"
        )


def built(settings: Network, path: str, build: Callable[[Network], nn.Module]) -> nn.Module:
    """The network in evaluation mode; what it refuses is told with its path."""
    component = find("networks", settings.network)
    check_options(component, settings.options, GIVEN_TO_NETWORKS, path)
    try:
        return build(settings).eval()
    except (RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())
        raise RarelensError(f"params.yaml: {path}: not to be built: {message}") from error


def told(action: Callable[[], object]) -> tuple[str, ...]:
    """The problems that ``action`` raises."""
    try:
        action()
    except RarelensError as error:
        return error.problems
    return ()


def _unknown(path: str, named: Sequence[str], known: Mapping[str, BaseModel]) -> Iterator[str]:
    for name in named:
        if name not in known:
            yield f"params.yaml: {path}: there is no {name!r}; choose one of {', '.join(known)}"
