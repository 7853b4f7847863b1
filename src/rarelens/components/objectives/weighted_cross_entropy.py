"""Cross-entropy with class weights from voxel counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from rarelens.components.objectives._voxels import Reduction, cross_entropy, full_precision

__all__ = ["WeightedCrossEntropyLoss"]


class WeightedCrossEntropyLoss(nn.Module):
    r"""Cross-entropy with weights :math:`w_c \propto n_c^{-k}`, normalised to mean 1.

    The sum over voxels is divided by their number, as in the code of Li et al. (TMI 2021), not by
    the sum of their weights as PyTorch's weighted mean is.

    Args:
        class_counts: voxels :math:`n_c` of each class in the training subset; a class without any
            is weighted as if it had one.
        power: k; 1 for inverse frequency, 0.5 for its root.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the voxels that count, "sum", or "none".
    """

    weights: Tensor

    def __init__(
        self,
        class_counts: Sequence[float],
        power: Annotated[float, Ge(0)] = 1.0,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        weights = torch.as_tensor(class_counts, dtype=torch.float64).clamp(min=1) ** -power
        self.register_buffer("weights", weights / weights.mean())
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        weights = self.weights.to(full_precision(logits))
        return cross_entropy(logits, target, self.ignore_index, self.reduction, weights)
