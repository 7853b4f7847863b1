"""Optimiser and learning-rate schedule from parameters."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from rarelens.studies.settings.stages import Training


def build_optimiser(network: nn.Module, objective: nn.Module, settings: Training) -> Optimizer:
    """AdamW, or SGD with Nesterov momentum 0.99 (as nnU-Net).

    Weights decay in the network alone: an objective's parameters are no weights.
    """
    groups: list[dict[str, Any]] = [{"params": list(network.parameters())}]
    if learnt := list(objective.parameters()):
        groups.append({"params": learnt, "weight_decay": 0.0})
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(groups, settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        groups,
        settings.learning_rate,
        momentum=0.99,
        nesterov=True,
        weight_decay=settings.weight_decay,
    )


def build_schedule(optimiser: Optimizer, settings: Training, steps: int) -> LambdaLR:
    """Learning rate over ``steps``: constant, polynomial (1 − t)^0.9, or half a cosine."""
    factors = {
        "constant": lambda _: 1.0,
        "polynomial": lambda step: (1 - min(step / steps, 1.0)) ** 0.9,
        "cosine": lambda step: (1 + math.cos(math.pi * min(step / steps, 1.0))) / 2,
    }
    return LambdaLR(optimiser, factors[settings.schedule])
