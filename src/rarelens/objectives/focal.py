"""Focal loss, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from rarelens.objectives._voxels import (
    Reduction,
    class_mask,
    full_precision,
    is_soft,
    reduce,
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
        rare = class_mask(self.rare_classes, logits)
        if is_soft(logits, target):
            losses = -F.log_softmax(logits, 1)
            kept = rare.view(1, -1, *[1] * (logits.ndim - 2))
            return reduce((target * self._attenuate(losses, kept)).sum(1), None, self.reduction)
        counts = target != self.ignore_index
        index = target.where(counts, 0)
        losses = F.cross_entropy(logits, index, reduction="none")
        return reduce(self._attenuate(losses, rare[index]), counts, self.reduction)

    def _attenuate(self, losses: Tensor, kept: Tensor) -> Tensor:
        """Multiply −log p by (1 − p)^γ where not ``kept``."""
        # Kept off 0, where the power's gradient is infinite for γ < 1 (0 · ∞ below).
        missing = (-torch.expm1(-losses)).clamp(min=torch.finfo(losses.dtype).tiny)
        return losses.where(kept, losses * missing**self.gamma)
