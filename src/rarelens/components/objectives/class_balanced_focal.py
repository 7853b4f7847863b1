"""Focal loss balanced by the effective numbers of positives and negatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Lt
from torch import Tensor

from rarelens.components.objectives._labels import LabelLoss, at_least_one, effective_numbers, focal
from rarelens.components.objectives._voxels import Reduction, check_classes

__all__ = ["ClassBalancedFocalLoss"]


class ClassBalancedFocalLoss(LabelLoss):
    r"""Focal loss with :math:`\alpha_c = E(n^-_c) / (E(n^+_c) + E(n^-_c))` for positives.

    :math:`E(n) = (1-\beta^n)/(1-\beta)` is the effective number of n images (Cui et al., CVPR
    2019), applied to the two signs of each class as by Khakzar et al. 2022 (arXiv 2204.01729).

    Args:
        positives: :math:`n^+_c`, positive labels of each class in the training subset; 0 counts
            as 1.
        negatives: :math:`n^-_c`, negative labels; 0 counts as 1.
        beta: β; 0 weighs both signs by one half, towards 1 by inverse frequency.
        gamma: γ, the focal exponent; 0 gives weighted cross-entropy.
        reduction: "mean" over the labels that count (not over their weights), "sum", or "none".
    """

    alpha: Tensor

    def __init__(
        self,
        positives: Sequence[float],
        negatives: Sequence[float],
        beta: Annotated[float, Ge(0), Lt(1)] = 0.9999,
        gamma: Annotated[float, Ge(0)] = 2.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        of_positives = effective_numbers(at_least_one(positives), beta)
        of_negatives = effective_numbers(at_least_one(negatives), beta)
        self.register_buffer("alpha", of_negatives / (of_positives + of_negatives))
        self.gamma = gamma

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Weighted focal loss of each label, (B, C)."""
        check_classes(self.alpha, logits, "positives")
        alpha = self.alpha.to(logits)
        weights = alpha * positive + (1 - alpha) * negative
        return weights * focal(logits, positive, negative, self.gamma)
