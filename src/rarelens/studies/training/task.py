"""What the training loop needs to know of a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn


class Task(Protocol):
    """A network with what it learns from; made anew for each training.

    Attributes:
        network: what is trained.
        objective: its parameters, if it has any, are learnt too, and kept in checkpoints.
        steps: how many to take.
        gradient_evaluations: forward and backward passes over a batch that a step takes.
        separate_steps: an optimiser step for each loss instead of one for their sum.
        unit: what a batch is made of, in the plural.
        score: the history's column of the validation, by which weights are selected.
    """

    network: nn.Module
    objective: nn.Module
    steps: int
    gradient_evaluations: int
    separate_steps: bool
    unit: str
    score: str

    def to(self, device: torch.device) -> None:
        """Move what the losses hold; the network is moved by the loop."""

    def losses(self, network: nn.Module, step: int) -> Iterator[Tensor]:
        """The losses of a step, one after the other, so that each graph can be freed.

        All that is drawn at random is seeded by the step, so that a resumed training draws the
        same.

        Args:
            network: the task's own, as Accelerate has prepared it.
            step: from 0.
        """

    def validate(self, network: nn.Module) -> dict[str, float]:
        """The score, unless there is nothing to validate with, and further columns, by name."""

    def batch_contents(self, step: int) -> str:
        """What the batch of a step is made of, for a message: kind and ids."""
