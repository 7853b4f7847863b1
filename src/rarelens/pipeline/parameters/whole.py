"""The whole of ``params.yaml``, from its parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Discriminator, Tag

from rarelens.errors import RarelensError
from rarelens.pipeline.parameters.reading import FILE, read_yaml
from rarelens.studies.data.layout import task_of
from rarelens.studies.settings.base import Name, Section
from rarelens.studies.settings.checking import check
from rarelens.studies.settings.classification.datasets import ImageDataset
from rarelens.studies.settings.classification.stages import (
    AnalyseClassification,
    ExtractClassification,
    TrainClassification,
)
from rarelens.studies.settings.methods import (
    Adjustment,
    ClassificationMethod,
    Layers,
    Method,
    Network,
)
from rarelens.studies.settings.results import Compare, Report
from rarelens.studies.settings.segmentation.datasets import Dataset
from rarelens.studies.settings.segmentation.stages import (
    AnalyseSegmentation,
    ExtractSegmentation,
    TrainSegmentation,
)
from rarelens.studies.settings.study import Studies

# DVC leaves keys of these names out of what its run cache is searched by, for they stand there
# for files' sizes: results of another value would come back.
UNTRACKED = ("size", "nfiles")


S = TypeVar("S")
C = TypeVar("C")


class ByTask(Section, Generic[S, C]):
    """A section with a part for each task."""

    segmentation: S
    classification: C


Adjustments = ByTask[dict[Name, Adjustment], dict[Name, Adjustment]]
Methods = ByTask[dict[Name, Method], dict[Name, ClassificationMethod]]


def _task(dataset: Any) -> str:
    """A dataset's task by its layout; without a layout that there is, by a key of volumes alone."""
    keys = dataset if isinstance(dataset, dict) else {"layout": getattr(dataset, "layout", None)}
    guess = "segmentation" if "patch_size" in keys else "classification"
    return task_of(keys.get("layout")) or guess


AnyDataset = Annotated[
    Annotated[Dataset, Tag("segmentation")] | Annotated[ImageDataset, Tag("classification")],
    Discriminator(_task),
]


class Parameters(Section):
    """The whole of ``params.yaml``."""

    study: Studies
    datasets: dict[Name, AnyDataset]
    networks: dict[Name, Network]
    layers: dict[Name, Layers]
    methods: Methods
    adjustments: Adjustments
    train: ByTask[TrainSegmentation, TrainClassification]
    extract: ByTask[ExtractSegmentation, ExtractClassification]
    analyse: ByTask[AnalyseSegmentation, AnalyseClassification]
    compare: Compare
    report: Report


def read_parameters(file: Path = FILE) -> Parameters:
    """Read and validate the whole parameter file.

    Raises:
        RarelensError: with one sentence for each problem in it.
    """
    raw = read_yaml(file)
    problems = [
        f"{file}: {path}: DVC's run cache overlooks keys of this name, so that a change would "
        "bring old results back; give it another name"
        for path in _untracked(raw)
    ]
    if problems:
        raise RarelensError(*problems)
    parameters: Parameters = check(raw, Parameters, "")
    return parameters


def _untracked(value: Any, path: str = "") -> Iterator[str]:
    listed = dict(enumerate(value)) if isinstance(value, list) else value
    for key, own in listed.items() if isinstance(listed, dict) else ():
        below = f"{path}.{key}" if path else str(key)
        if key in UNTRACKED:
            yield below
        yield from _untracked(own, below)
