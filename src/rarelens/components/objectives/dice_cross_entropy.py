"""Cross-entropy and Dice in equal parts."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from rarelens.components.objectives._voxels import full_precision
from rarelens.components.objectives.cross_entropy import CrossEntropyLoss
from rarelens.components.objectives.dice import DiceLoss

__all__ = ["DiceCrossEntropyLoss"]


class DiceCrossEntropyLoss(nn.Module):
    """Cross-entropy plus MONAI's soft Dice loss over the foreground classes, equal weights.

    Args:
        smooth: added to the numerator and the denominator of Dice.
        ignore_index: voxels of an index target with this value do not count, in either term.
    """

    def __init__(self, smooth: Annotated[float, Gt(0)] = 1e-5, ignore_index: int = -100) -> None:
        super().__init__()
        self.cross_entropy = CrossEntropyLoss(ignore_index)
        self.dice = DiceLoss(smooth, ignore_index=ignore_index)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        logits = full_precision(logits)
        cross_entropy: Tensor = self.cross_entropy(logits, target)
        dice: Tensor = self.dice(logits, target)
        return cross_entropy + dice
