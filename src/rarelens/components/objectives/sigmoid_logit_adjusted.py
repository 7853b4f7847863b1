"""Binary cross-entropy on logits adjusted by the prevalences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from rarelens.components.objectives._labels import LabelLoss, at_least_one, binary_cross_entropy
from rarelens.components.objectives._voxels import Reduction, check_classes

__all__ = ["SigmoidLogitAdjustedLoss"]


class SigmoidLogitAdjustedLoss(LabelLoss):
    r"""Binary cross-entropy on :math:`z_c + \tau \log(\pi_c / (1 - \pi_c))`.

    :math:`\pi_c = n^+_c / (n^+_c + n^-_c)`. The logit adjustment of Menon et al. (ICLR 2021), each
    class a two-class problem of its own.

    Args:
        positives: :math:`n^+_c`, positive labels of each class in the training subset; 0 counts
            as 1.
        negatives: :math:`n^-_c`, negative labels; 0 counts as 1.
        tau: τ; 0 gives cross-entropy.
        reduction: "mean" over the labels that count, "sum", or "none": a value for each label.
    """

    offsets: Tensor

    def __init__(
        self,
        positives: Sequence[float],
        negatives: Sequence[float],
        tau: Annotated[float, Ge(0)] = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        log_odds = (at_least_one(positives) / at_least_one(negatives)).log()
        self.register_buffer("offsets", tau * log_odds)

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Cross-entropy of each label on the adjusted logits, (B, C)."""
        check_classes(self.offsets, logits, "positives")
        return binary_cross_entropy(logits + self.offsets.to(logits), positive, negative)
