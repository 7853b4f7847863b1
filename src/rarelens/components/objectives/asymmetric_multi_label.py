"""Asymmetric multi-label loss: positives and easy negatives attenuated differently."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn import functional as F

from rarelens.components.objectives._labels import LabelLoss, sigmoid_power
from rarelens.components.objectives._voxels import Reduction

__all__ = ["AsymmetricMultiLabelLoss"]


class AsymmetricMultiLabelLoss(LabelLoss):
    r"""Positives :math:`-(1-p)^{\gamma^+} \log p`, negatives :math:`-p_m^{\gamma^-} \log(1-p_m)`.

    :math:`p_m = \max(p - m, 0)` drops negatives below the margin m altogether (Ridnik, Ben-Baruch
    et al., ICCV 2021: asymmetric focusing and probability shifting). The gradient goes through the
    attenuation, as in the paper; its released code stops it there by default.

    Args:
        gamma_positive: γ⁺, the focal exponent of positives.
        gamma_negative: γ⁻, that of negatives.
        clip: m, the probability by which that of negatives is lowered.
        reduction: "mean" over the labels that count, "sum", or "none": a value for each label.
    """

    def __init__(
        self,
        gamma_positive: Annotated[float, Ge(0)] = 1.0,
        gamma_negative: Annotated[float, Ge(0)] = 4.0,
        clip: Annotated[float, Ge(0), Lt(1)] = 0.05,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.gamma_positive = gamma_positive
        self.gamma_negative = gamma_negative
        self.clip = clip

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Asymmetric loss of each label, (B, C)."""
        of_positives = -sigmoid_power(-logits, self.gamma_positive) * F.logsigmoid(logits)
        return positive * of_positives + negative * self._of_negatives(logits)

    def _of_negatives(self, logits: Tensor) -> Tensor:
        if self.clip == 0:
            return -sigmoid_power(logits, self.gamma_negative) * F.logsigmoid(-logits)
        # 1 − p_m is at least m, so that its logarithm needs no care. p_m is kept off 0, where the
        # gradient of a power below 1 is infinite.
        tiny = torch.finfo(logits.dtype).tiny
        shifted = (logits.sigmoid() - self.clip).clamp(min=tiny)
        return -(shifted**self.gamma_negative) * torch.log1p(-shifted)
