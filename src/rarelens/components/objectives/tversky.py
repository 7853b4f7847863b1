"""Tversky loss, as F_β."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt
from monai.losses import tversky

from rarelens.components.objectives._overlap import OverlapLoss
from rarelens.components.objectives._voxels import Reduction

__all__ = ["TverskyLoss"]


class TverskyLoss(OverlapLoss):
    """MONAI's Tversky loss over the foreground classes, 1 − F_β (Salehi et al., MLMI 2017).

    False positives weigh 1/(1+β²) and false negatives β²/(1+β²).

    Args:
        beta: β; 1 gives the Dice loss (with twice ``smooth``), more favours sensitivity.
        smooth: added to the numerator and the denominator.
        batch: sum over the voxels of the batch rather than of a sample.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over samples and foreground classes, "sum", or "none": one value for
            each sample (unless ``batch``) and foreground class.
    """

    def __init__(
        self,
        beta: Annotated[float, Ge(0)] = 1.5,
        smooth: Annotated[float, Gt(0)] = 1e-5,
        batch: bool = False,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        loss = tversky.TverskyLoss(
            include_background=False,
            alpha=1 / (1 + beta**2),
            beta=beta**2 / (1 + beta**2),
            smooth_nr=smooth,
            smooth_dr=smooth,
            batch=batch,
            reduction="none",
        )
        super().__init__(loss, batch, ignore_index, reduction)
