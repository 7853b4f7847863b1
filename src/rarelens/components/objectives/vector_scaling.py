"""Vector-scaling loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from rarelens.components.objectives._voxels import (
    ModifiedLogitsLoss,
    Reduction,
    along_classes,
    check_classes,
    full_precision,
)
from rarelens.components.objectives.cross_entropy import CrossEntropyLoss

__all__ = ["VectorScalingLoss"]


class VectorScalingLoss(ModifiedLogitsLoss):
    r"""Cross-entropy on :math:`\Delta_c z_c + \tau \log \pi_c`.

    With :math:`\Delta_c = (n_c/\max n)^\gamma` it scales the logits of a class as well as shifting
    them (Kini et al., NeurIPS 2021).

    Args:
        class_counts: voxels :math:`n_c` of each class in the training subset; a class without any
            is treated as if it had one. π are their shares.
        gamma: γ; 0 gives the logit-adjusted loss.
        tau: τ; 0 leaves the offsets out.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the voxels that count, "sum", or "none".
    """

    factors: Tensor
    offsets: Tensor

    def __init__(
        self,
        class_counts: Sequence[float],
        gamma: Annotated[float, Ge(0)] = 0.15,
        tau: Annotated[float, Ge(0)] = 1.0,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(CrossEntropyLoss(ignore_index, reduction))
        counts = torch.as_tensor(class_counts, dtype=torch.float64).clamp(min=1)
        self.register_buffer("factors", (counts / counts.max()) ** gamma)
        self.register_buffer("offsets", tau * (counts / counts.sum()).log())

    def modify(self, logits: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """Δ·z + τ log π, (B, C, *spatial)."""
        logits = full_precision(logits)
        check_classes(self.factors, logits, "class_counts")
        factors, offsets = self.factors.to(logits), self.offsets.to(logits)
        return logits * along_classes(factors, logits) + along_classes(offsets, logits)
