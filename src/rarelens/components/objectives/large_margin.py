"""Large-margin loss, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from rarelens.components._rare_classes import class_mask, refuse_empty
from rarelens.components.objectives._voxels import (
    ModifiedLogitsLoss,
    Reduction,
    full_precision,
    subtract_margins,
)
from rarelens.components.objectives.cross_entropy import CrossEntropyLoss

__all__ = ["LargeMarginLoss"]


class LargeMarginLoss(ModifiedLogitsLoss):
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
        refuse_empty(rare_classes, "no class would have a margin")
        super().__init__(CrossEntropyLoss(ignore_index, reduction))
        self.margin = margin
        self.rare_classes = rare_classes

    def modify(self, logits: Tensor, target: Tensor) -> Tensor:
        """z', (B, C, *spatial)."""
        logits = full_precision(logits)
        margins = self.margin * class_mask(self.rare_classes, logits).to(logits)
        return subtract_margins(logits, target, margins)
