"""Binary cross-entropy with weights between the classes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rarelens.components.objectives._labels import LabelLoss, at_least_one, binary_cross_entropy
from rarelens.components.objectives._voxels import Reduction, check_classes

__all__ = ["InterClassWeightedBCELoss"]


class InterClassWeightedBCELoss(LabelLoss):
    r"""Binary cross-entropy, class c weighted by :math:`w_c \propto (n^+_c)^{-1/2}`.

    The weights sum to the number of classes (the inter-class weights of Khakzar et al. 2022,
    arXiv 2204.01729).

    Args:
        positives: :math:`n^+_c`, positive labels of each class in the training subset; 0 counts
            as 1.
        paper_code: the weights of the paper's released code instead: :math:`(n^+_c)^{+1/2}`,
            which favours the frequent classes, summing to 1.
        reduction: "mean" over the labels that count (not over their weights), "sum", or "none".
    """

    weights: Tensor

    def __init__(
        self,
        positives: Sequence[float],
        paper_code: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        roots = at_least_one(positives).sqrt()
        weights = roots / roots.sum() if paper_code else len(roots) / roots / (1 / roots).sum()
        self.register_buffer("weights", weights)

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Weighted cross-entropy of each label, (B, C)."""
        check_classes(self.weights, logits, "positives")
        return self.weights.to(logits) * binary_cross_entropy(logits, positive, negative)
