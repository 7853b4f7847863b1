"""Binary cross-entropy whose positives are weighted within each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rarelens.components.objectives._labels import LabelLoss, at_least_one, binary_cross_entropy
from rarelens.components.objectives._voxels import Reduction, check_classes

__all__ = ["WeightedBCELoss"]


class WeightedBCELoss(LabelLoss):
    r"""Binary cross-entropy, positives of class c weighted by :math:`n^-_c / n^+_c`.

    Positives and negatives of a class then weigh the same in total (the intra-class weights of
    Khakzar et al. 2022, arXiv 2204.01729).

    Args:
        positives: :math:`n^+_c`, positive labels of each class in the training subset; 0 counts
            as 1.
        negatives: :math:`n^-_c`, negative labels; 0 counts as 1.
        source: where the ratio comes from. "dataset": the counts given. "batch": the labels of
            the batch, and where these have one sign only, the smallest ratio of a class in the
            dataset (the released code of Khakzar et al.).
        reduction: "mean" over the labels that count (not over their weights), "sum", or "none".
    """

    ratios: Tensor

    def __init__(
        self,
        positives: Sequence[float],
        negatives: Sequence[float],
        source: Literal["dataset", "batch"] = "dataset",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("ratios", at_least_one(negatives) / at_least_one(positives))
        self.source = source

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Weighted cross-entropy of each label, (B, C)."""
        check_classes(self.ratios, logits, "positives")
        weights = self._weights(positive, negative)
        return binary_cross_entropy(logits, positive * weights, negative)

    def _weights(self, positive: Tensor, negative: Tensor) -> Tensor:
        """n⁻/n⁺ of each class, (C,)."""
        ratios = self.ratios.to(positive)
        if self.source == "dataset":
            return ratios
        found, missing = positive.sum(0), negative.sum(0)
        both_signs = (found > 0) & (missing > 0)
        return torch.where(both_signs, missing / found.clamp(min=1), ratios.min())
