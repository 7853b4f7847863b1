"""What the training loop needs to know of a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Batch(NamedTuple):
    """What a step learns from, on the CPU.

    Attributes:
        step: whose it is.
        images: as the network takes them.
        target: as the objective takes it, but for its type.
        rng: what the losses go on to draw from.
        centres: the classes that patches are centred on, where a regulariser is to change images
            and target first; the target is then as large as the images for any network.
    """

    step: int
    images: Tensor
    target: Tensor
    rng: np.random.Generator
    centres: NDArray[np.integer] | None = None


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

    def batch(self, step: int) -> Batch:
        """What a step, from 0, learns from; it may be asked for in another process.

        All that is drawn at random is seeded by the step, so that a resumed training draws the
        same.
        """

    def losses(self, network: nn.Module, batch: Batch) -> Iterator[Tensor]:
        """The losses of a step, one after the other, so that each graph can be freed.

        Args:
            network: the task's own, as Accelerate has prepared it.
            batch: the step's.
        """

    def validate(self, network: nn.Module) -> dict[str, float]:
        """The score, unless there is nothing to validate with, and further columns, by name."""

    def batch_contents(self, step: int) -> str:
        """What the batch of a step is made of, for a message: kind and ids."""
