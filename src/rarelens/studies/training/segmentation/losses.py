"""What one optimiser step minimises: the clean loss, and one for each further pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rarelens.components.contracts import Adding, Preparing


class StepLosses:
    """An objective and regularisers (`rarelens.components.contracts.Regulariser`).

    Args:
        objective: of logits and target.
        base: the loss that adversarial training takes its direction from (Li et al., TMI 2021);
            None where no regulariser asks for it.
        regularisers: those with ``prepare`` change the batch, those with ``extra`` add a pass.
        clean_statistics: whether only the clean pass moves the running statistics of batch
            normalisation, and not the passes on mixed or adversarial images.
    """

    def __init__(
        self,
        objective: nn.Module,
        base: nn.Module | None,
        regularisers: Sequence[Any],
        clean_statistics: bool = False,
    ) -> None:
        self.objective = objective
        self.base = base
        self.regularisers = regularisers
        self.clean_statistics = clean_statistics
        self.preparing: list[Any] = [each for each in regularisers if isinstance(each, Preparing)]
        self.adding: list[Any] = [each for each in regularisers if isinstance(each, Adding)]

    def to(self, device: torch.device) -> None:
        """Move what the losses hold."""
        self.objective.to(device)
        if self.base is not None:
            self.base.to(device)

    def facts(self, channels: int, patch: Sequence[int]) -> dict[str, float]:
        """What the regularisers have to say for the record; the patch is a training image's."""
        return {
            name: value
            for each in self.regularisers
            for name, value in each.facts(channels, patch).items()
        }

    @property
    def gradient_evaluations(self) -> int:
        """Forward and backward passes over a batch that a step takes."""
        return 1 + sum(int(each.gradient_evaluations) for each in self.adding)

    def prepare(
        self,
        images: Tensor,
        labels: Tensor,
        centres: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Images and labels of a batch as the regularisers change them."""
        for each in self.preparing:
            images, labels = each.prepare(images, labels, centres, rng)
        return images, labels

    def losses(
        self, network: nn.Module, images: Tensor, labels: Tensor, rng: np.random.Generator
    ) -> Iterator[Tensor]:
        """The losses, one after the other, so that each graph can be freed before the next."""
        yield self.objective(network(images), labels)
        for each in self.adding:
            inputs, target = each.extra(network, images, labels, self.base, rng)
            with _running_statistics_kept(network) if self.clean_statistics else nullcontext():
                logits = network(inputs)
            yield self.objective(logits, target)


@contextmanager
def _running_statistics_kept(network: nn.Module) -> Iterator[None]:
    """Leave the running statistics as they are; a batch is still normalised by its own."""
    tracking: list[Any] = [
        each for each in network.modules() if getattr(each, "track_running_stats", False)
    ]
    for each in tracking:
        each.track_running_stats = False
    try:
        yield
    finally:
        for each in tracking:
            each.track_running_stats = True
