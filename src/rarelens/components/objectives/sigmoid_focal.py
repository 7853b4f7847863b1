"""Focal loss of multi-label classification."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from torch import Tensor

from rarelens.components.objectives._labels import LabelLoss, focal
from rarelens.components.objectives._voxels import Reduction

__all__ = ["SigmoidFocalLoss"]


class SigmoidFocalLoss(LabelLoss):
    r"""Focal loss :math:`-\alpha (1-p)^\gamma y \log p - (1-\alpha) p^\gamma (1-y) \log(1-p)`.

    Lin et al., ICCV 2017, equation 5.

    Args:
        alpha: α, the weight of positives; 0.5 weighs both signs by one half.
        gamma: γ, the focal exponent; 0 gives weighted cross-entropy.
        reduction: "mean" over the labels that count, "sum", or "none": a value for each label.
    """

    def __init__(
        self,
        alpha: Annotated[float, Ge(0), Le(1)] = 0.25,
        gamma: Annotated[float, Ge(0)] = 2.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.alpha = alpha
        self.gamma = gamma

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Focal loss of each label, (B, C)."""
        weights = self.alpha * positive + (1 - self.alpha) * negative
        return weights * focal(logits, positive, negative, self.gamma)
