"""The checks of one task's study: their order, and all that the tasks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.weights import FOLDER, initial_weights, is_watched
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.data.classification.simulation.shapes import check_shapes
from rarelens.studies.settings.classification.datasets import ImageDataset, SimulateFindings
from rarelens.studies.settings.segmentation.datasets import Dataset
from rarelens.studies.settings.study import Study

D = TypeVar("D", bound=Dataset | ImageDataset)


class StudyChecks(ABC, Generic[D]):
    """Of the study of one task.

    Attributes:
        study: its lists.
        datasets: those of the task, whether the study names them or not.
        methods: of the task, by name.
        adjustments: of the task, by name.
        train: settings of its training.
    """

    task: ClassVar[str]
    kind: type[D]

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.study: Study = getattr(parameters.study, self.task)
        self.methods: Mapping[str, Any] = getattr(parameters.methods, self.task)
        self.adjustments: Mapping[str, Any] = getattr(parameters.adjustments, self.task)
        self.train: Any = getattr(parameters.train, self.task)
        every = parameters.datasets.items()
        self.datasets: dict[str, D] = {k: each for k, each in every if isinstance(each, self.kind)}

    def check_parameters(self) -> list[str]:
        """Problems that parameters alone show."""
        study = self.study
        problems = [*self._unknown_names(), *self._without_layers()]
        if problems or not study.datasets:
            return problems
        problems += self._unwatched_weights()
        for name in study.methods:
            problems += problems_of(partial(self.check_method, name))
        for name in study.adjustments:
            problems += problems_of(partial(self.check_adjustment, name))
        problems += self.check_settings()
        for network, dataset in product(study.networks, study.datasets):
            problems += problems_of(partial(self.check_network, network, dataset))
        if self.train.precision == "fp16" and not torch.cuda.is_available():
            problems.append(
                f"params.yaml: train.{self.task}.precision: fp16 needs a GPU, and there is none; "
                "use bf16 or no"
            )
        for name in study.datasets:
            if not self.has_validation(self.datasets[name]):
                problems += self.without_validation(name)
        return problems

    def check_prepared(self, prepared: Path) -> list[str]:
        """Problems that the datasets in the folder ``prepared`` show."""
        problems: list[str] = []
        for name in self.study.datasets:
            data = self.open(prepared / name)
            for fraction, seed in product(self.study.fractions, self.study.seeds):
                found = problems_of(partial(self.check_subset, data, str(fraction), seed))
                problems += [each if name in each else f"{name}: {each}" for each in found]
            if "validation" not in set(data.table["split"]):
                problems += self.without_validation(name)
            problems += self.check_data(data)
        return problems

    def without_validation(self, dataset: str) -> Iterator[str]:
        """Problems of the study if this dataset of it has no validation cases."""
        needing = [("select", "best", "last")] if self.train.select == "best" else []
        if self.train.patience is not None:
            needing.append(("patience", str(self.train.patience), "null"))
        for key, value, other in needing:
            yield (
                f"params.yaml: train.{self.task}.{key}: {value} needs validation cases, and "
                f"{dataset} has none; set {other}, or give it some by datasets.{dataset}.split"
            )
        yield from self.fitted_on_validation(dataset)

    @abstractmethod
    def check_method(self, name: str) -> None:
        """Raise if a method's objective, regularisers or sampling refuse their options."""

    @abstractmethod
    def check_adjustment(self, name: str) -> object:
        """Raise if an adjustment refuses its options."""

    def check_settings(self) -> list[str]:
        """Names in settings of stages that stand nowhere."""
        return []

    @abstractmethod
    def check_network(self, network: str, dataset: str) -> None:
        """Raise if a network does not take the dataset, or lacks a layer that is looked into."""

    @abstractmethod
    def has_validation(self, dataset: D) -> bool:
        """Whether a dataset may have validation cases, as far as its parameters say."""

    @abstractmethod
    def fitted_on_validation(self, dataset: str) -> Iterator[str]:
        """Problems of what is fitted on validation cases, if this dataset has none."""

    @abstractmethod
    def open(self, folder: Path) -> Any:
        """The prepared dataset in a folder."""

    @abstractmethod
    def check_subset(self, data: Any, fraction: str, seed: int) -> object:
        """Raise if a training subset of a prepared dataset is not possible."""

    def check_data(self, data: Any) -> list[str]:  # noqa: ARG002
        """Further problems of a prepared dataset."""
        return []

    def _unknown_names(self) -> Iterator[str]:
        """Names in the study's lists that stand nowhere, and datasets of the other task."""
        known: dict[str, Mapping[str, Any]] = {
            "datasets": self.datasets,
            "networks": self.parameters.networks,
            "methods": self.methods,
            "adjustments": self.adjustments,
        }
        for key, choices in known.items():
            for name in getattr(self.study, key):
                if name not in choices:
                    yield (
                        f"params.yaml: study.{self.task}.{key}: there is no {name!r}; choose one "
                        f"of {', '.join(choices)}"
                    )

    def _unwatched_weights(self) -> Iterator[str]:
        """Networks of the study that start from a file whose change would not be noticed."""
        for name in self.study.networks:
            file = initial_weights(self.parameters.networks[name])
            if file is not None and not is_watched(file):
                yield (
                    f"params.yaml: networks.{name}.weights: {file} is not in the folder {FOLDER}, "
                    "which DVC watches; put it, or a link to it, there"
                )

    def _without_layers(self) -> Iterator[str]:
        """Networks of the study that there are, but of which nobody said where to look inside."""
        known = self.parameters.networks if self.study.datasets else {}
        for name in self.study.networks:
            if name in known and name not in self.parameters.layers:
                yield (
                    f"params.yaml: layers.{name}: missing; name the modules of {name} that are "
                    "looked into"
                )


def check_simulated(parameters: Parameters) -> Iterator[str]:
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
            yield from problems_of(partial(check_shapes, name, settings))


def problems_of(action: Callable[[], object]) -> tuple[str, ...]:
    """The problems that ``action`` raises."""
    try:
        action()
    except RarelensError as error:
        return error.problems
    return ()
