"""Cross-entropy: the baseline."""

from __future__ import annotations

from torch import Tensor, nn

from rarelens.components.objectives._voxels import Reduction, cross_entropy

__all__ = ["CrossEntropyLoss"]


class CrossEntropyLoss(nn.Module):
    r"""Cross-entropy :math:`-\sum_c y_c \log p_c`, by default the mean over voxels.

    Args:
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the voxels that count, "sum", or "none".

    Examples:
        >>> import torch
        >>> loss = CrossEntropyLoss()(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4).long())
        >>> round(loss.item(), 4)
        0.6931
    """

    def __init__(self, ignore_index: int = -100, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        return cross_entropy(logits, target, self.ignore_index, self.reduction)
