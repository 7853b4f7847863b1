"""Hausdorff-distance loss."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from monai.losses import hausdorff_loss

from rarelens.components.objectives._overlap import OverlapLoss
from rarelens.components.objectives._voxels import Reduction

__all__ = ["HausdorffLoss"]


class HausdorffLoss(OverlapLoss):
    """MONAI's Hausdorff loss by distance transforms (Karimi & Salcudean, TMI 2019).

    The mean over voxels of the squared error times the distances, in voxels, to the true and to
    the predicted boundary, each to the power α. Ignored voxels do not count, and are outside
    every class where distances are measured.

    Args:
        alpha: α.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over samples and foreground classes, "sum", or "none": one value for
            each sample and foreground class.
    """

    def __init__(
        self,
        alpha: Annotated[float, Gt(0)] = 2.0,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        loss = hausdorff_loss.HausdorffDTLoss(alpha=alpha, reduction="none")
        super().__init__(loss, False, ignore_index, reduction, voxel_mean=True)
