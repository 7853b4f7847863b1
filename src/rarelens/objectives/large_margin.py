"""Large-margin loss, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from rarelens.objectives._voxels import (
    Reduction,
    class_mask,
    full_precision,
    is_soft,
    reduce,
    refuse_empty,
)

__all__ = ["LargeMarginLoss"]


class LargeMarginLoss(nn.Module):
    r"""Cross-entropy on logits :math:`z'_c = z_c - m\, y_c\, r_c`.

    The true class must win by the margin m: for every class in the symmetric form, for the rare
    classes only in the asymmetric one (Li et al., TMI 2021).

    Args:
        margin: m, in logits; 0 gives cross-entropy.
        rare_classes: r_c = 1 for these; None for all classes (the symmetric form).
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the voxels that count, "sum", or "none".

    Raises:
        ValueError: if ``rare_classes`` is empty, for no margin would be left.
    """

    def __init__(
        self,
        margin: Annotated[float, Ge(0)] = 1.0,
        rare_classes: Sequence[int] | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        refuse_empty(rare_classes, "no class would have a margin")
        self.margin = margin
        self.rare_classes = rare_classes
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        logits = full_precision(logits)
        margins = self.margin * class_mask(self.rare_classes, logits).to(logits)
        if is_soft(logits, target):
            per_class = margins.view(1, -1, *[1] * (logits.ndim - 2))
            losses = F.cross_entropy(logits - per_class * target, target, reduction="none")
            return reduce(losses, None, self.reduction)
        counts = target != self.ignore_index
        index = target.where(counts, 0)
        shifted = logits.scatter_add(1, index.unsqueeze(1), -margins[index].unsqueeze(1))
        losses = F.cross_entropy(shifted, index, reduction="none")
        return reduce(losses, counts, self.reduction)
