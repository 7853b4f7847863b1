"""The whole of ``params.yaml``, from its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rarelens.config.base import Name, Section
from rarelens.config.classification import (
    AnalyseClassification,
    ExtractClassification,
    TrainClassification,
)
from rarelens.config.images import ImageDataset
from rarelens.config.methods import Adjustment, ClassificationMethod, Layers, Method, Network
from rarelens.config.results import Compare, Report
from rarelens.config.segmentation import AnalyseSegmentation, ExtractSegmentation, TrainSegmentation
from rarelens.config.study import Studies
from rarelens.config.volumes import Dataset
from rarelens.parameters import FILE, check, read_yaml


class Train(Section):
    """Training, by task."""

    segmentation: TrainSegmentation
    classification: TrainClassification


class Extract(Section):
    """Extraction, by task."""

    segmentation: ExtractSegmentation
    classification: ExtractClassification


class Analyse(Section):
    """Analysis, by task."""

    segmentation: AnalyseSegmentation
    classification: AnalyseClassification


class Adjustments(Section):
    """Post-hoc controls, by task."""

    segmentation: dict[Name, Adjustment]
    classification: dict[Name, Adjustment]


class Methods(Section):
    """Methods, by task."""

    segmentation: dict[Name, Method]
    classification: dict[Name, ClassificationMethod]


AnyDataset = Annotated[Dataset | ImageDataset, Field(discriminator="layout")]


class Parameters(Section):
    """The whole of ``params.yaml``."""

    study: Studies
    datasets: dict[Name, AnyDataset]
    networks: dict[Name, Network]
    layers: dict[Name, Layers]
    methods: Methods
    adjustments: Adjustments
    train: Train
    extract: Extract
    analyse: Analyse
    compare: Compare
    report: Report


def read_parameters(file: Path = FILE) -> Parameters:
    """Read and validate the whole parameter file.

    Raises:
        RarelensError: with one sentence for each problem in it.
    """
    parameters: Parameters = check(read_yaml(file), Parameters, "")
    return parameters
