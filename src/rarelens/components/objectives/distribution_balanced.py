"""Distribution-balanced loss: re-balanced weights and negative-tolerant logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt
from torch import Tensor

from rarelens.components.objectives._labels import LabelLoss, at_least_one, focal
from rarelens.components.objectives._voxels import Reduction, check_classes

__all__ = ["DistributionBalancedLoss"]


class DistributionBalancedLoss(LabelLoss):
    r"""Distribution-balanced loss (Wu et al., ECCV 2020, section 3).

    .. math::
        \hat r_c \left[ y_c \log(1 + e^{-(z_c - \nu_c)})
        + \tfrac1\lambda (1 - y_c) \log(1 + e^{\lambda (z_c - \nu_c)}) \right]

    Re-balanced weight: :math:`\hat r_c = \alpha + \sigma(\beta (r_c - \mu))`, where r_c of an
    image is :math:`(1/n^+_c) / \sum_{k: y_k = 1} 1/n^+_k`: how often it would be drawn for class c
    alone, against for all of its classes. An image without positives is drawn for none: there
    :math:`\hat r_c = \alpha + 1`, the limit. Negative tolerance: :math:`\nu_c = \kappa \log(1/\pi_c
    - 1)`, :math:`\pi_c = n^+_c / N`. The paper trains it on class-balanced draws.

    Args:
        positives: :math:`n^+_c`, positive labels of each class in the training subset; 0 counts
            as 1.
        images: N, images in the training subset; at least one is taken to be negative.
        alpha: α, the least weight.
        beta: β, how sharply the weight rises.
        mu: μ, where it rises; the paper's value for COCO (for VOC 0.3).
        scale: λ, the steepness for negatives; the paper's value for COCO (for VOC 5).
        bias: κ, of the class-specific bias.
        gamma: focal exponent; 0 for none, 2 for the focal form in which q = σ(z − ν) of a positive
            and σ(λ(z − ν)) of a negative attenuate by (1 − q)^γ and q^γ.
        paper_code: as the released code, divide ν by λ and double the focal form.
        reduction: "mean" over the labels that count (not over their weights), "sum", or "none".
    """

    inverse: Tensor
    biases: Tensor

    def __init__(
        self,
        positives: Sequence[float],
        images: int,
        alpha: Annotated[float, Ge(0)] = 0.1,
        beta: Annotated[float, Gt(0)] = 10.0,
        mu: Annotated[float, Ge(0)] = 0.2,
        scale: Annotated[float, Gt(0)] = 2.0,
        bias: Annotated[float, Ge(0)] = 0.05,
        gamma: Annotated[float, Ge(0)] = 0.0,
        paper_code: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        counts = at_least_one(positives)
        biases = bias * ((images - counts).clamp(min=1) / counts).log()
        self.register_buffer("inverse", 1 / counts)
        self.register_buffer("biases", biases / scale if paper_code else biases)
        self.alpha = alpha
        self.beta = beta
        self.mu = mu
        self.scale = scale
        self.gamma = gamma
        self.factor = 2.0 if paper_code and gamma > 0 else 1.0

    def losses(self, logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Distribution-balanced loss of each label, (B, C)."""
        check_classes(self.inverse, logits, "positives")
        shifted = logits - self.biases.to(logits)
        tolerant = shifted * (positive + self.scale * negative)
        weights = self.factor * self._rebalanced(positive) * (positive + negative / self.scale)
        return weights * focal(tolerant, positive, negative, self.gamma)

    def _rebalanced(self, positive: Tensor) -> Tensor:
        """The weight r̂ of each label, (B, C)."""
        inverse = self.inverse.to(positive)
        drawn = (positive * inverse).sum(1, keepdim=True)
        # Without positives the ratio is ∞, and its sigmoid 1.
        return self.alpha + (self.beta * (inverse / drawn - self.mu)).sigmoid()
