"""Focal loss on margin logits, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from rarelens.components.objectives._voxels import ModifiedLogitsLoss, Reduction
from rarelens.components.objectives.focal import FocalLoss
from rarelens.components.objectives.large_margin import LargeMarginLoss

__all__ = ["FocalMarginLoss"]


class FocalMarginLoss(ModifiedLogitsLoss):
    r"""Focal loss on logits :math:`z'_c = z_c - m\, y_c\, r_c` (Li et al., TMI 2021).

    In the asymmetric form the rare classes have the margin and the others are attenuated; in the
    symmetric form every class has both.

    Args:
        gamma: γ, the focal exponent; 0 gives the large-margin loss.
        margin: m, in logits; 0 gives the focal loss.
        rare_classes: classes with a margin and not attenuated; None for the symmetric form.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the voxels that count, "sum", or "none".

    Raises:
        ValueError: if ``rare_classes`` is empty, for no margin would be left.
    """

    def __init__(
        self,
        gamma: Annotated[float, Ge(0)] = 2.0,
        margin: Annotated[float, Ge(0)] = 1.0,
        rare_classes: Sequence[int] | None = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(FocalLoss(gamma, rare_classes, ignore_index, reduction))
        self.large_margin = LargeMarginLoss(margin, rare_classes, ignore_index)

    def modify(self, logits: Tensor, target: Tensor) -> Tensor:
        """z', (B, C, *spatial)."""
        return self.large_margin.modify(logits, target)
