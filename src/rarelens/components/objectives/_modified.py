"""Losses that are another loss on modified logits."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class ModifiedLogitsLoss(nn.Module, ABC):
    """A loss on modified logits, which in a compound feed every term.

    Args:
        base: the loss that the modified logits are given to.
    """

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base

    @abstractmethod
    def modify(self, logits: Tensor, target: Tensor) -> Tensor:
        """The modified logits z', (B, C, *spatial) in full precision."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        loss: Tensor = self.base(self.modify(logits, target), target)
        return loss
