"""Dice loss whose false negatives are attenuated, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt
from torch import Tensor, nn

from rarelens.components._rare_classes import refuse_unknown
from rarelens.components.objectives._overlap import reduce_regions
from rarelens.components.objectives._voxels import (
    Reduction,
    full_precision,
    truth_and_present,
    voxel_sums,
)

__all__ = ["FocalDiceLoss"]


class FocalDiceLoss(nn.Module):
    r"""Focal Dice loss of a foreground class, averaged over these and the samples.

    .. math:: \frac{\sum p(1-y) + \sum w (1-p) y}{2\sum py + \sum p(1-y) + \sum (1-p)y + s}

    with :math:`w = (1-p)^\gamma` where the class is attenuated, else 1. The symmetric form
    attenuates every foreground class, the asymmetric one those that are not rare, as the released
    code of Li et al. (TMI 2021), in which s stands in the numerator too.

    Args:
        gamma: γ, the focal exponent; 0 gives the soft Dice loss.
        rare_classes: classes that are not attenuated; None for the symmetric form. An empty list
            attenuates every class, and so equals it.
        smooth: s.
        batch: sum over the voxels of the batch rather than of a sample.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over samples and foreground classes, "sum", or "none": one value for
            each sample (unless ``batch``) and foreground class.
    """

    def __init__(
        self,
        gamma: Annotated[float, Ge(0)] = 2.0,
        rare_classes: Sequence[int] | None = None,
        smooth: Annotated[float, Gt(0)] = 1e-5,
        batch: bool = False,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.rare_classes = () if rare_classes is None else rare_classes
        self.smooth = smooth
        self.batch = batch
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        logits = full_precision(logits)
        refuse_unknown(self.rare_classes, logits.shape[1])
        own = [c - 1 for c in range(1, logits.shape[1]) if c not in self.rare_classes]
        truth, present, _ = truth_and_present(logits, target, self.ignore_index)
        predicted, truth = logits.softmax(1)[:, 1:], truth[:, 1:]
        missing = 1 - predicted
        false = voxel_sums(predicted, present - truth, self.batch)
        missed = voxel_sums(missing, truth, self.batch)
        attenuated = missed.clone()
        attenuated[..., own] = voxel_sums(
            missing[:, own] ** (1 + self.gamma), truth[:, own], self.batch
        )
        # Sums of y, and of p + y.
        true = voxel_sums(truth, present, self.batch)
        losses = (false + attenuated) / (2 * true - missed + false + self.smooth)
        return reduce_regions(losses, self.reduction)
