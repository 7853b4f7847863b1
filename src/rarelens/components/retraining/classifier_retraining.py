"""A new head on class-balanced samples (cRT)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from rarelens.components.objectives.bce import BinaryCrossEntropyLoss
from rarelens.components.sampling import draw
from rarelens.components.sampling.class_balanced import weights

__all__ = ["ClassifierRetraining"]

ROWS = 10


class ClassifierRetraining:
    """Classifier retraining (Kang et al., ICLR 2020, section 4.1), for multi-label problems.

    The head is drawn anew and trained by binary cross-entropy on batches in which every class is
    alike, with Adam and a learning rate that falls as half a cosine.

    Args:
        steps: optimiser steps.
        learning_rate: at first.
        batch_size: images a step.
        threads: of a CPU; results are the same bytes for the same number.

    Examples:
        >>> features, labels = torch.eye(4), torch.eye(4)[:, :2]
        >>> head, history = ClassifierRetraining(steps=200)(features, labels, seed=0)
        >>> ((head(features) > 0) == labels).all().item()
        True
    """

    def __init__(
        self,
        steps: Annotated[int, Ge(1), Le(10**6)] = 1000,
        learning_rate: Annotated[float, Gt(0)] = 0.01,
        batch_size: Annotated[int, Ge(1), Le(2**16)] = 128,
        threads: Annotated[int, Ge(1), Le(1024)] = 2,
    ) -> None:
        self.steps = steps
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.threads = threads

    def __call__(
        self, features: Tensor, labels: Tensor, seed: int
    ) -> tuple[nn.Linear, list[dict[str, float]]]:
        """Train a head.

        Args:
            features: of the training images, (N, D).
            labels: theirs, (N, C), 1, 0 or NaN (ignored).
            seed: of the head's first weights and of the batches.

        Returns:
            The head, and rows of step, loss (mean since the last row) and learning_rate.
        """
        head = _new_head(features, labels, seed)
        shares = weights(labels.cpu().numpy())
        objective = BinaryCrossEntropyLoss()
        optimiser = torch.optim.Adam(head.parameters(), self.learning_rate)
        schedule = CosineAnnealingLR(optimiser, self.steps)
        history: list[dict[str, float]] = []
        losses: list[float] = []
        for step in range(1, self.steps + 1):
            batch = torch.from_numpy(draw(shares, self.batch_size, seed, step - 1))
            loss = objective(head(features[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            if step % -(-self.steps // ROWS) == 0 or step == self.steps:
                rate, mean = float(schedule.get_last_lr()[0]), float(np.mean(losses))
                history.append({"step": step, "loss": mean, "learning_rate": rate})
                losses.clear()
        return head, history


def _new_head(features: Tensor, labels: Tensor, seed: int) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = nn.Linear(features.shape[1], labels.shape[1])
    return head.to(features.device)
