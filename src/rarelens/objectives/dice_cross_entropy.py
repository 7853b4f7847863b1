"""Cross-entropy and Dice in equal parts."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from monai.losses.dice import DiceLoss
from torch import Tensor, nn

from rarelens.objectives._voxels import full_precision, is_soft
from rarelens.objectives.cross_entropy import CrossEntropyLoss

__all__ = ["DiceCrossEntropyLoss"]


class DiceCrossEntropyLoss(nn.Module):
    """Cross-entropy plus MONAI's soft Dice loss over the foreground classes, equal weights.

    Args:
        smooth: added to the numerator and the denominator of Dice.

    Both terms count every voxel: MONAI's Dice has no ``ignore_index``.
    """

    def __init__(self, smooth: Annotated[float, Gt(0)] = 1e-5) -> None:
        super().__init__()
        self.cross_entropy = CrossEntropyLoss()
        settings = {"include_background": False, "softmax": True}
        self.soft_dice = DiceLoss(**settings, smooth_nr=smooth, smooth_dr=smooth)
        self.index_dice = DiceLoss(**settings, to_onehot_y=True, smooth_nr=smooth, smooth_dr=smooth)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        logits = full_precision(logits)
        dice: Tensor = (
            self.soft_dice(logits, target)
            if is_soft(logits, target)
            else self.index_dice(logits, target.unsqueeze(1))
        )
        cross_entropy: Tensor = self.cross_entropy(logits, target)
        return cross_entropy + dice
