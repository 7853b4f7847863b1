"""nnU-Net's targets for rarelens's losses, and the margins of the patches that a loss sees."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class IndexTarget(nn.Module):
    """A loss called with nnU-Net's targets: indices (B, 1, *spatial), or soft (B, C, *spatial)."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial) and target, of which one channel is indices, to the loss."""
        soft = target.shape[1] > 1
        value: Tensor = self.loss(logits, target if soft else target[:, 0].long())
        return value


class RecordedLoss(nn.Module):
    """A loss that keeps the margins of the patches, at full resolution, until they are asked for.

    Args:
        loss: called with what this is called with.
        classes: how many there are.
        ignore_index: voxels with this label do not count.
    """

    def __init__(self, loss: nn.Module, classes: int, ignore_index: int) -> None:
        super().__init__()
        self.loss = loss
        self.ignore_index = ignore_index
        self.sums = torch.zeros(2, classes, dtype=torch.float64)

    def forward(self, outputs: Any, targets: Any) -> Tensor:
        """Logits and targets, or lists of them by resolution, to the loss."""
        several = isinstance(outputs, list | tuple)
        self._add(*((outputs[0], targets[0]) if several else (outputs, targets)))
        value: Tensor = self.loss(outputs, targets)
        return value

    @torch.no_grad()
    def _add(self, logits: Tensor, target: Tensor) -> None:
        target = target.long()
        index = target.where(target != self.ignore_index, 0)
        others = logits.scatter(1, index, -math.inf).amax(1, keepdim=True)
        margins = (logits.gather(1, index) - others)[target != self.ignore_index].float()
        labels, classes = index[target != self.ignore_index], self.sums.shape[1]
        found = torch.zeros(2, classes, device=logits.device)
        found[0].index_add_(0, labels, margins)
        found[1].index_add_(0, labels, torch.ones_like(margins))
        self.sums = self.sums.to(logits.device) + found.to(self.sums.dtype)

    def take(self) -> Tensor:
        """The mean margin of each class's voxels since the last time, (C,); NaN without any."""
        sums, self.sums = self.sums, torch.zeros_like(self.sums)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        return (sums[0] / sums[1]).cpu()
