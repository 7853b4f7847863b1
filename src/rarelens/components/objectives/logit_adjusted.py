"""Cross-entropy on logits adjusted by the class priors."""

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

__all__ = ["LogitAdjustedLoss"]


class LogitAdjustedLoss(ModifiedLogitsLoss):
    r"""Cross-entropy on :math:`z_c + \tau \log \pi_c` (Menon et al., ICLR 2021).

    With τ = 1 it is the balanced softmax (Ren et al., NeurIPS 2020).

    Args:
        class_priors: π, the shares of the classes among the training subset's voxels; voxel
            counts serve as well, since only ratios matter.
        tau: τ; 0 gives cross-entropy.
        ignore_index: voxels of an index target with this value do not count.
        reduction: "mean" over the voxels that count, "sum", or "none".

    Raises:
        ValueError: if a prior is not positive, for its logarithm would not be finite.
    """

    offsets: Tensor

    def __init__(
        self,
        class_priors: Sequence[float],
        tau: Annotated[float, Ge(0)] = 1.0,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(CrossEntropyLoss(ignore_index, reduction))
        priors = torch.as_tensor(class_priors, dtype=torch.float64)
        if not bool((priors > 0).all()):
            raise ValueError(
                f"class_priors {priors.tolist()} are not all positive; "
                f"give a class without voxels the prior of one voxel"
            )
        self.register_buffer("offsets", tau * (priors / priors.sum()).log())

    def modify(self, logits: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        """Logits z + τ log π, (B, C, *spatial)."""
        logits = full_precision(logits)
        check_classes(self.offsets, logits, "class_priors")
        return logits + along_classes(self.offsets.to(logits), logits)
