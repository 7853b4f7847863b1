"""Generalised Dice loss."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from monai.losses import dice

from rarelens.components.objectives._overlap import OverlapLoss
from rarelens.components.objectives._voxels import Reduction

__all__ = ["GeneralisedDiceLoss"]


class GeneralisedDiceLoss(OverlapLoss):
    """MONAI's generalised Dice loss, weights 1/n² of the classes (Sudre et al., DLMIA 2017).

    Background is a class like the others: with two classes there would be nothing to weigh
    without it.

    Args:
        smooth: added to the numerator and the denominator, which are as small as the weights.
        batch: sum over the voxels of the batch rather than of a sample.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over samples, "sum", or "none": one value a sample (one in all if
            ``batch``).
    """

    def __init__(
        self,
        smooth: Annotated[float, Gt(0)] = 1e-8,
        batch: bool = False,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        loss = dice.GeneralizedDiceLoss(
            smooth_nr=smooth, smooth_dr=smooth, batch=batch, reduction="none"
        )
        super().__init__(loss, True, ignore_index, reduction)
