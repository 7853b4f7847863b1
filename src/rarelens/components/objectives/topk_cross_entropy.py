"""Cross-entropy over the hardest voxels."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor, nn

from rarelens.components.objectives._voxels import Reduction, count, reduce
from rarelens.components.objectives.cross_entropy import CrossEntropyLoss

__all__ = ["TopKCrossEntropyLoss"]


class TopKCrossEntropyLoss(nn.Module):
    """Cross-entropy over the share of the batch's voxels that have the largest (Wu et al., 2016).

    Args:
        fraction: that share of the voxels that count, rounded to a number of voxels, at least
            one; 1 gives cross-entropy.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the hardest voxels, "sum", or "none": 0 at all others.
    """

    def __init__(
        self,
        fraction: Annotated[float, Gt(0), Le(1)] = 0.1,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.fraction = fraction
        self.cross_entropy = CrossEntropyLoss(ignore_index, "none")
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        losses: Tensor = self.cross_entropy(logits, target)
        counted = count(logits, target, self.cross_entropy.ignore_index)
        number = max(1, round(self.fraction * int(counted)))
        # Ignored voxels have a loss of 0 and so come last, whether or not they are chosen.
        hardest, indices = losses.flatten().topk(number, sorted=False)
        if self.reduction == "none":
            others = torch.zeros_like(losses).flatten()
            return others.scatter(0, indices, hardest).view_as(losses)
        return reduce(hardest, number, self.reduction)
