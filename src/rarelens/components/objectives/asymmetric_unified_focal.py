"""Asymmetric unified focal loss, for any number of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from rarelens.components._rare_classes import class_mask, refuse_empty
from rarelens.components.objectives._overlap import reduce_regions
from rarelens.components.objectives._voxels import (
    Reduction,
    along_classes,
    full_precision,
    is_soft,
    truth_and_present,
    valid_index,
    value_of_class,
    voxel_sums,
)
from rarelens.components.objectives.focal import FocalLoss

__all__ = ["AsymmetricUnifiedFocalLoss"]


class AsymmetricUnifiedFocalLoss(nn.Module):
    r"""λ·F + (1−λ)·T of Yeung et al. (Comput. Med. Imaging Graph. 2022), for many classes.

    F is the mean over voxels of
    :math:`-\delta \sum_{c \text{ rare}} y_c \log p_c - (1-\delta) \sum_{c \text{ not rare}}
    (1-p_c)^\gamma y_c \log p_c`; T is the mean over classes of :math:`1-TI_c`, for rare classes to
    the power :math:`1-\gamma`, where :math:`TI_c` is the Tversky index with weight δ of false
    negatives and 1 − δ of false positives. Both are taken in a sample and averaged over the
    samples. A class that a sample neither holds nor predicts at all has :math:`TI_c = 1`. The
    authors' code multiplies T by its weight: theirs is 1 − λ.

    Args:
        weight: λ, of F.
        delta: δ, the weight of the rare classes and of false negatives.
        gamma: γ; attenuates the non-rare classes in F and enhances the rare ones in T.
        rare_classes: the rare classes; None for all foreground classes, as the paper's.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the samples, "sum", or "none": one value a sample.

    Raises:
        ValueError: if ``rare_classes`` is empty, for nothing would be enhanced.
    """

    def __init__(
        self,
        weight: Annotated[float, Ge(0), Le(1)] = 0.5,
        delta: Annotated[float, Gt(0), Lt(1)] = 0.6,
        gamma: Annotated[float, Ge(0), Lt(1)] = 0.5,
        rare_classes: Sequence[int] | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        refuse_empty(rare_classes, "no class would be enhanced")
        self.weight = weight
        self.delta = delta
        self.gamma = gamma
        self.rare_classes = rare_classes
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        logits = full_precision(logits)
        rare = class_mask(self.rare_classes, logits)
        if self.rare_classes is None:
            rare[0] = False
        truth, present, counts = truth_and_present(logits, target, self.ignore_index)
        focal = self._focal(logits, target, rare).flatten(1).sum(1)
        focal = focal / counts.flatten(1).sum(1).clamp(min=1)
        tversky = self._tversky(logits.softmax(1), truth, present - truth, rare)
        return reduce_regions(self.weight * focal + (1 - self.weight) * tversky, self.reduction)

    def _focal(self, logits: Tensor, target: Tensor, rare: Tensor) -> Tensor:
        """The voxels' values in F, (B, *spatial)."""
        focal = FocalLoss(self.gamma, rare.nonzero().flatten().tolist(), self.ignore_index, "none")
        weights = 1 - self.delta + (2 * self.delta - 1) * rare.to(logits)
        if is_soft(logits, target):
            # The focal loss is linear in the shares.
            weighted: Tensor = focal(logits, target * along_classes(weights, logits))
            return weighted
        losses: Tensor = focal(logits, target)
        return losses * value_of_class(weights, valid_index(logits, target))

    def _tversky(self, predicted: Tensor, truth: Tensor, rest: Tensor, rare: Tensor) -> Tensor:
        """T of each sample, (B,), from (B, C, *spatial)."""
        missed, false = voxel_sums(1 - predicted, truth), voxel_sums(predicted, rest)
        errors = self.delta * missed + (1 - self.delta) * false
        total = truth.flatten(2).sum(2) - missed + errors
        complement = errors / total.where(total > 0, 1)
        # Kept off 0, where the gradient of a power below 1 is infinite.
        enhanced = complement.clamp(min=torch.finfo(errors.dtype).tiny) ** (1 - self.gamma)
        return enhanced.where(rare, complement).mean(1)
