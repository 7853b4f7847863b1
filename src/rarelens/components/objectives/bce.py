"""Binary cross-entropy of multi-label classification: the baseline."""

from __future__ import annotations

from torch import Tensor

from rarelens.components.objectives._labels import LabelLoss, binary_cross_entropy
from rarelens.components.objectives._voxels import Reduction

__all__ = ["BinaryCrossEntropyLoss"]


class BinaryCrossEntropyLoss(LabelLoss):
    r"""Binary cross-entropy :math:`-y \log p - (1-y) \log(1-p)`, :math:`p = \sigma(z)`.

    Args:
        reduction: "mean" over the labels that count, "sum", or "none": a value for each label.

    Examples:
        >>> import torch
        >>> nan = float("nan")
        >>> loss = BinaryCrossEntropyLoss()(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, nan]]))
        >>> round(loss.item(), 4)
        0.6931
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Cross-entropy of each label, (B, C)."""
        return binary_cross_entropy(logits, positive, negative)
