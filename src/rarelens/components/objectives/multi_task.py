"""Classes as tasks, weighted by learnt uncertainties."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from rarelens.components.objectives._labels import (
    LabelLoss,
    binary_cross_entropy,
    positives_and_negatives,
)
from rarelens.components.objectives._voxels import Reduction, check_classes

__all__ = ["MultiTaskLoss"]


class MultiTaskLoss(LabelLoss):
    r"""Mean over classes of :math:`e^{-s_c} BCE_c`, plus :math:`\frac12 \sum_c s_c`.

    The log-variances s are parameters, 0 at first, to be optimised with the network's (Kendall et
    al., CVPR 2018; over the classes of a multi-label problem as by Khakzar et al. 2022, arXiv
    2204.01729). A class whose labels are all ignored in a batch leaves both terms.

    Args:
        classes: how many there are.
        reduction: "mean" over the labels that count, "sum", or "none": the first term of each
            label. The second term is added to the mean and the sum, once.
    """

    def __init__(self, classes: Annotated[int, Ge(1)], reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.log_variances = nn.Parameter(torch.zeros(classes))

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The first term of each label, (B, C)."""
        check_classes(self.log_variances, logits, "log_variances")
        return (-self.log_variances).exp() * binary_cross_entropy(logits, positive, negative)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (B, C) and targets (B, C) of 1, 0 and NaN (ignored), to the loss."""
        losses = super().forward(logits, targets)
        if self.reduction == "none":
            return losses
        positive, negative = positives_and_negatives(logits, targets)
        present = (positive + negative).amax(0).to(self.log_variances)
        return losses + 0.5 * (present * self.log_variances).sum()
