"""Focal loss, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from rarelens.components._rare_classes import class_mask
from rarelens.components.objectives._voxels import (
    Reduction,
    along_classes,
    count,
    cross_entropy,
    full_precision,
    is_soft,
    reduce,
    valid_index,
    value_of_class,
)

__all__ = ["FocalLoss"]


class FocalLoss(nn.Module):
    r"""Focal loss :math:`-\sum_c (1-p_c)^\gamma y_c \log p_c`, on attenuated classes only.

    The symmetric form attenuates every class (Lin et al., ICCV 2017). The asymmetric one leaves
    the rare classes at their cross-entropy and attenuates the others (Li et al., TMI 2021).

    Args:
        gamma: γ, the focal exponent; 0 gives cross-entropy.
        rare_classes: classes that are not attenuated; None for the symmetric form. An empty list
            attenuates every class, and so equals it.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the voxels that count, "sum", or "none".

    Examples:
        >>> logits, target = torch.zeros(1, 2, 4, 4, 4), torch.zeros(1, 4, 4, 4).long()
        >>> round(FocalLoss(gamma=2.0)(logits, target).item(), 4)  # ¼ log 2
        0.1733
        >>> round(FocalLoss(gamma=2.0, rare_classes=[0])(logits, target).item(), 4)
        0.6931
    """

    def __init__(
        self,
        gamma: Annotated[float, Ge(0)] = 2.0,
        rare_classes: Sequence[int] | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.rare_classes = () if rare_classes is None else rare_classes
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        logits = full_precision(logits)
        kept = class_mask(self.rare_classes, logits).to(logits)
        if self.gamma == 0 or len(set(self.rare_classes)) == len(kept):
            return cross_entropy(logits, target, self.ignore_index, self.reduction)
        if is_soft(logits, target):
            losses = -F.log_softmax(logits, 1)
            attenuation = self._attenuation(losses, along_classes(kept, logits))
            losses = (target * losses * attenuation).sum(1)
        else:
            losses = cross_entropy(logits, target, self.ignore_index, "none")
            kept = value_of_class(kept, valid_index(logits, target))
            losses = losses * self._attenuation(losses, kept)
        return reduce(losses, count(logits, target, self.ignore_index), self.reduction)

    def _attenuation(self, losses: Tensor, kept: Tensor) -> Tensor:
        """(1 − p)^γ from −log p, or 1 where ``kept`` is 1 rather than 0."""
        # Kept off 0, where the gradient of a power below 1 is infinite (0 · ∞ in the product).
        missing = torch.finfo(losses.dtype).tiny - torch.expm1(-losses)
        if self.rare_classes:
            # A linear step of 0 or 1 chooses as exactly as a Boolean mask, in a tenth of the time.
            missing = missing.lerp(missing.new_ones(()), kept)
        return missing**self.gamma
