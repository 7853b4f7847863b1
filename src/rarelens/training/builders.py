"""Objective, optimiser and learning-rate schedule from parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from rarelens.components import check_options, find, needs
from rarelens.config import Method, TrainSegmentation
from rarelens.errors import RarelensError

# Arguments of an objective that rarelens supplies; the user's options are all others.
GIVEN_TO_OBJECTIVES = ("class_counts", "rare_classes", "ignore_index", "reduction")


def check_method(name: str, method: Method) -> None:
    """Refuse a method whose objective does not exist or does not take its options."""
    path = f"methods.segmentation.{name}"
    component = find("objectives", method.objective)
    check_options(component, method.options, GIVEN_TO_OBJECTIVES, path)
    if method.asymmetric and not needs(component, ["rare_classes"]):
        raise RarelensError(
            f"params.yaml: {path}.asymmetric: {method.objective} has no asymmetric form; set false"
        )


def build_objective(
    name: str, method: Method, class_counts: Sequence[int], rare: Sequence[int]
) -> nn.Module:
    """The method's objective.

    Args:
        name: the method, for messages.
        method: its parameters.
        class_counts: voxels of each class in the training subset.
        rare: the dataset's rare classes, given to the objective if the method is asymmetric.
    """
    check_method(name, method)
    component = find("objectives", method.objective)
    given = {
        "class_counts": list(class_counts),
        "rare_classes": list(rare) if method.asymmetric else None,
    }
    options = check_options(component, method.options, GIVEN_TO_OBJECTIVES, name)
    objective: nn.Module = component(
        **options, **{key: given[key] for key in needs(component, list(given))}
    )
    return objective


def build_optimiser(network: nn.Module, settings: TrainSegmentation) -> Optimizer:
    """AdamW, or SGD with Nesterov momentum 0.99 (as nnU-Net)."""
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(
            network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        network.parameters(),
        settings.learning_rate,
        momentum=0.99,
        nesterov=True,
        weight_decay=settings.weight_decay,
    )


def build_schedule(optimiser: Optimizer, settings: TrainSegmentation) -> LambdaLR:
    """Learning rate over steps: constant, polynomial (1 − t)^0.9, or half a cosine."""
    factors = {
        "constant": lambda _: 1.0,
        "polynomial": lambda step: (1 - min(step / settings.steps, 1.0)) ** 0.9,
        "cosine": lambda step: (1 + math.cos(math.pi * min(step / settings.steps, 1.0))) / 2,
    }
    return LambdaLR(optimiser, factors[settings.schedule])
