"""Label-distribution-aware margins with deferred re-weighting, for multi-label problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Le, Lt
from torch import Tensor

from rarelens.components.objectives._labels import (
    LabelLoss,
    at_least_one,
    binary_cross_entropy,
    effective_numbers,
)
from rarelens.components.objectives._voxels import Reduction, check_classes

__all__ = ["SigmoidLDAMLoss"]


class SigmoidLDAMLoss(LabelLoss):
    r"""Binary cross-entropy on :math:`z_c - \Delta_c y_c`, :math:`\Delta_c \propto (n^+_c)^{-1/4}`.

    In the last share of the training the classes are weighted by :math:`1/E(n^+_c)`, their
    effective numbers, the weights summing to the number of classes (LDAM-DRW, Cao et al., NeurIPS
    2019, each class a two-class problem of its own with a margin on positives).

    Args:
        positives: :math:`n^+_c`, positive labels of each class in the training subset; 0 counts
            as 1.
        max_margin: the largest margin, that of the rarest class; 0 gives cross-entropy.
        deferred: the last share of the training in which the classes are weighted; 0 for none.
        beta: β of the effective number :math:`E(n) = (1-\beta^n)/(1-\beta)`.
        reduction: "mean" over the labels that count (not over their weights), "sum", or "none".
    """

    margins: Tensor
    weights: Tensor

    def __init__(
        self,
        positives: Sequence[float],
        max_margin: Annotated[float, Ge(0)] = 0.5,
        deferred: Annotated[float, Ge(0), Le(1)] = 0.2,
        beta: Annotated[float, Ge(0), Lt(1)] = 0.9999,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        counts = at_least_one(positives)
        weights = 1 / effective_numbers(counts, beta)
        self.register_buffer("margins", max_margin * (counts.min() / counts) ** 0.25)
        self.register_buffer("weights", weights / weights.mean())
        self.deferred = deferred
        self.progress(0.0)

    def progress(self, share: float) -> None:
        """Say how much of the training is done (0 to 1): whether the classes are weighted."""
        self.weighted = self.deferred > 0 and share >= 1 - self.deferred

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Cross-entropy of each label behind its margin, (B, C)."""
        check_classes(self.margins, logits, "positives")
        losses = binary_cross_entropy(
            logits - self.margins.to(logits) * positive, positive, negative
        )
        return self.weights.to(logits) * losses if self.weighted else losses
