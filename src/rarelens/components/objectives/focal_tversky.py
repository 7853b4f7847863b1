"""Focal Tversky loss."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from rarelens.components.objectives._overlap import reduce_regions
from rarelens.components.objectives._voxels import Reduction
from rarelens.components.objectives.tversky import TverskyLoss

__all__ = ["FocalTverskyLoss"]


class FocalTverskyLoss(nn.Module):
    """The Tversky loss of each foreground class to the power 1/γ (Abraham & Khan, ISBI 2019).

    Args:
        gamma: γ; above 1, classes that are segmented well keep a gradient; 1 gives the Tversky
            loss.
        beta: β of F_β; more favours sensitivity.
        smooth: added to the numerator and the denominator of the Tversky index.
        batch: sum over the voxels of the batch rather than of a sample.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over samples and foreground classes, "sum", or "none": one value for
            each sample (unless ``batch``) and foreground class.
    """

    def __init__(
        self,
        gamma: Annotated[float, Gt(0)] = 4 / 3,
        beta: Annotated[float, Ge(0)] = 1.5,
        smooth: Annotated[float, Gt(0)] = 1e-5,
        batch: bool = False,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.tversky = TverskyLoss(beta, smooth, batch, ignore_index, "none")
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        losses: Tensor = self.tversky(logits, target)
        # Kept off 0, where the gradient of a power below 1 is infinite.
        losses = losses.clamp(min=torch.finfo(losses.dtype).tiny)
        return reduce_regions(losses ** (1 / self.gamma), self.reduction)
