"""Soft Dice loss."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from monai.losses import dice

from rarelens.components.objectives._overlap import OverlapLoss
from rarelens.components.objectives._voxels import Reduction

__all__ = ["DiceLoss"]


class DiceLoss(OverlapLoss):
    """MONAI's soft Dice loss over the foreground classes.

    Args:
        smooth: added to the numerator and the denominator.
        batch: sum over the voxels of the batch rather than of a sample.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over samples and foreground classes, "sum", or "none": one value for
            each sample (unless ``batch``) and foreground class.
    """

    def __init__(
        self,
        smooth: Annotated[float, Gt(0)] = 1e-5,
        batch: bool = False,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        loss = dice.DiceLoss(
            include_background=False,
            smooth_nr=smooth,
            smooth_dr=smooth,
            batch=batch,
            reduction="none",
        )
        super().__init__(loss, batch, ignore_index, reduction)
