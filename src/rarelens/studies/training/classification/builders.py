"""Objective, sampler and retraining of a classifier, from parameters."""

from __future__ import annotations

import inspect
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rarelens.components.contracts import KEPT, GivenForClassification
from rarelens.components.objectives._labels import LabelLoss
from rarelens.errors import RarelensError
from rarelens.studies.building import build, check_loss, find
from rarelens.studies.settings.methods import Adjustment, ClassificationMethod
from rarelens.studies.training.progress import Row

Labels = NDArray[np.float32]


class Retraining(Protocol):
    """What a file of `components.retraining` makes; the package says what it takes and gives."""

    batch_size: int
    threads: int

    def __call__(self, features: Tensor, labels: Tensor, seed: int) -> tuple[nn.Linear, list[Row]]:
        """Train a head; see the package."""


def check_classification_method(name: str, method: ClassificationMethod) -> None:
    """Build a method as if for two classes, and try its objective.

    Raises:
        RarelensError: if parts of the method do not exist, do not take their options, or are
            for segmentation, or if the objective is no number.
    """
    component = find("objectives", method.objective, f"methods.classification.{name}")
    if not (inspect.isclass(component) and issubclass(component, LabelLoss)):
        raise RarelensError(
            f"params.yaml: methods.classification.{name}.objective: {method.objective} is for the "
            "segmentation study; choose an objective for classification"
        )
    labels = np.array([[1, 0], [0, 1], [np.nan, 0]], np.float32)
    image_weights(name, method, labels)
    objective = build_objective(name, method, labels)
    target = torch.from_numpy(labels)
    check_loss(objective(torch.zeros_like(target), target), f"methods.classification.{name}")


def build_objective(name: str, method: ClassificationMethod, labels: Labels) -> nn.Module:
    """The objective of this method for a training subset.

    Args:
        name: the method, for messages.
        method: its parameters.
        labels: of the training subset, (N, C), 1, 0 or NaN.

    Raises:
        RarelensError: if there is no such objective, or it does not take its options.
    """
    given: GivenForClassification = {
        "classes": labels.shape[1],
        "images": len(labels),
        "negatives": (labels == 0).sum(axis=0).tolist(),
        "positives": (labels == 1).sum(axis=0).tolist(),
    }
    path = f"methods.classification.{name}"
    objective: nn.Module = build("objectives", method.objective, method.options, path, given, KEPT)
    return objective


def image_weights(name: str, method: ClassificationMethod, labels: Labels) -> NDArray[np.float64]:
    """How likely each image of the training subset is to be drawn into a batch, (N,).

    Raises:
        RarelensError: if there is no such sampler.
    """
    sampler = find("sampling", method.sampling, f"methods.classification.{name}")
    weights: NDArray[np.float64] = sampler(labels)
    return weights


def build_retraining(name: str, settings: Adjustment) -> Retraining:
    """The retraining of ``settings``, a file of `rarelens.components.retraining`.

    Raises:
        RarelensError: if there is no such retraining, or it does not take its options.
    """
    path = f"adjustments.classification.{name}"
    retraining: Retraining = build("retraining", settings.adjustment, settings.options, path, {})
    return retraining
