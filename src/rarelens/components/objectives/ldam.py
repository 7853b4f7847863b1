"""Label-distribution-aware margin loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from rarelens.components.objectives._voxels import (
    ModifiedLogitsLoss,
    Reduction,
    check_classes,
    full_precision,
    subtract_margins,
)
from rarelens.components.objectives.cross_entropy import CrossEntropyLoss

__all__ = ["LDAMLoss"]


class LDAMLoss(ModifiedLogitsLoss):
    r"""Cross-entropy on :math:`s (z_c - \Delta_c y_c)`, :math:`\Delta_c \propto n_c^{-1/4}`.

    Every class has a margin, the larger the fewer its voxels (Cao et al., NeurIPS 2019).

    Args:
        class_counts: voxels :math:`n_c` of each class in the training subset; a class without any
            is treated as if it had one.
        max_margin: the largest margin, that of the smallest class.
        scale: s; 1 for plain logits (the paper's 30 presumes a normalised head).
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the voxels that count, "sum", or "none".
    """

    margins: Tensor

    def __init__(
        self,
        class_counts: Sequence[float],
        max_margin: Annotated[float, Ge(0)] = 0.5,
        scale: Annotated[float, Gt(0)] = 1.0,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(CrossEntropyLoss(ignore_index, reduction))
        counts = torch.as_tensor(class_counts, dtype=torch.float64).clamp(min=1)
        self.register_buffer("margins", max_margin * (counts.min() / counts) ** 0.25)
        self.scale = scale

    def modify(self, logits: Tensor, target: Tensor) -> Tensor:
        """s·z', (B, C, *spatial)."""
        logits = full_precision(logits)
        check_classes(self.margins, logits, "class_counts")
        margins = self.margins.to(logits)
        return self.scale * subtract_margins(logits, target, margins)
