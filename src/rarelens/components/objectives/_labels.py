"""What the classification objectives share: labels, log-probabilities, counts, reduction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rarelens.components.objectives._voxels import Reduction, full_precision, reduce

__all__ = ["LabelLoss"]


class LabelLoss(nn.Module, ABC):
    """A loss of every label by itself, 0 where the label is ignored.

    Args:
        reduction: "mean" over the labels that count, "sum", or "none": a value for each label.
    """

    def __init__(self, reduction: Reduction) -> None:
        super().__init__()
        self.reduction = reduction

    @abstractmethod
    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The losses (B, C) of the labels.

        Args:
            logits: (B, C) in full precision.
            positive: 1 where the label is positive, else 0, (B, C) of the logits' type.
            negative: the same where it is negative; an ignored label is neither.
        """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, C) and targets (B, C) of 1, 0 and NaN (ignored), to the loss."""
        logits = full_precision(logits)
        positive, negative = positives_and_negatives(logits, targets)
        counted = (positive + negative).sum().clamp(min=1)
        return reduce(self.losses(logits, positive, negative), counted, self.reduction)


def positives_and_negatives(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Which labels are positive and which are negative, (B, C) of 0 and 1 in the logits' type.

    Raises:
        ValueError: if the shapes differ, or a target is neither 0 nor 1 nor NaN.
    """
    if logits.ndim != 2 or targets.shape != logits.shape:
        raise ValueError(
            f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}; both are "
            f"(images, classes)"
        )
    positive, negative = targets == 1, targets == 0
    if not bool((positive | negative | targets.isnan()).all()):
        raise ValueError("targets hold values other than 0, 1 and NaN; mark ignored labels by NaN")
    return positive.to(logits), negative.to(logits)


def binary_cross_entropy(logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Cross-entropy: −log p of positive labels, −log(1 − p) of negative ones, (B, C)."""
    return -positive * F.logsigmoid(logits) - negative * F.logsigmoid(-logits)


def focal(logits: Tensor, positive: Tensor, negative: Tensor, gamma: float) -> Tensor:
    """Cross-entropy attenuated by (1 − p)^γ for positives and p^γ for negatives, (B, C)."""
    missed = positive * sigmoid_power(-logits, gamma) + negative * sigmoid_power(logits, gamma)
    return missed * binary_cross_entropy(logits, positive, negative)


def sigmoid_power(logits: Tensor, exponent: float) -> Tensor:
    """σ(z)^exponent, by way of its logarithm: the gradient is finite for every exponent."""
    return (exponent * F.logsigmoid(logits)).exp()


def at_least_one(counts: Sequence[float]) -> Tensor:
    """Counts of the classes (C,), float64, with 1 for 0, so that weights from them are finite."""
    return torch.as_tensor(counts, dtype=torch.float64).clamp(min=1)


def effective_numbers(counts: Tensor, beta: float) -> Tensor:
    """E(n) = (1 − βⁿ)/(1 − β) (Cui et al., CVPR 2019), of counts (C,)."""
    return (1 - beta**counts) / (1 - beta)
