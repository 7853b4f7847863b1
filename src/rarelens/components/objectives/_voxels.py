"""What the segmentation objectives share: precision, targets, margins, reduction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Reduction = Literal["mean", "sum", "none"]


def full_precision(logits: Tensor) -> Tensor:
    """Half-precision logits (B, C, *spatial) as float32; others as they are."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def is_soft(logits: Tensor, target: Tensor) -> bool:
    """Whether ``target`` holds a share for each class rather than a class index.

    Raises:
        ValueError: if its shape is neither (B, *spatial) nor that of the logits.
    """
    if target.shape == logits.shape and target.is_floating_point():
        return True
    if target.shape == (logits.shape[0], *logits.shape[2:]) and not target.is_floating_point():
        return False
    raise ValueError(
        f"target {tuple(target.shape)} {target.dtype} fits logits {tuple(logits.shape)} neither as "
        f"class indices (B, *spatial) nor as soft one-hot (B, C, *spatial) in floating point"
    )


def valid_index(logits: Tensor, target: Tensor) -> Tensor:
    """Class indices (B, *spatial), with a class or other at ignored voxels."""
    return target.long().clamp(0, logits.shape[1] - 1)


def truth_and_present(
    logits: Tensor, target: Tensor, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor]:
    """One-hot truth y (B, C, *spatial), 0 at ignored voxels, and 1 where they are not (B, 1, …).

    Ignored are voxels of ``ignore_index``, and in a soft target those without any share. The third
    is which voxels a mean is over, (B, *spatial): of a soft target all, as in `count`.
    """
    if is_soft(logits, target):
        truth, counts = target.to(logits), torch.ones_like(target[:, 0], dtype=torch.bool)
        present = target.ne(0).any(1, keepdim=True).to(logits)
    else:
        counts = target != ignore_index
        present = counts.unsqueeze(1).to(logits)
        index = target.long().where(counts, 0).unsqueeze(1)
        truth = torch.zeros_like(logits).scatter_(1, index, present)
    return truth, present, counts


def shares_and_truth(
    logits: Tensor, target: Tensor, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities and one-hot truth, both (B, C, *spatial) and 0 at ignored voxels.

    Sums of p·y, p·(1−y) and (1−p)·y then leave ignored voxels out by themselves. The third is which
    voxels a mean is over, as of `truth_and_present`.
    """
    truth, present, counts = truth_and_present(logits, target, ignore_index)
    return logits.softmax(1) * present, truth, counts


def voxel_sums(values: Tensor, masks: Tensor, batch: bool = False) -> Tensor:
    """Sums over voxels of values · masks, both (B, C, *spatial): (B, C), or (C,) of the batch."""
    sums = (values * masks).flatten(2).sum(2)
    return sums.sum(0) if batch else sums


def check_classes(values: Tensor, logits: Tensor, name: str) -> None:
    """Refuse values (K,) of classes where the logits have another number of classes.

    Raises:
        ValueError: naming the argument ``name`` that the values came from.
    """
    if len(values) != logits.shape[1]:
        raise ValueError(f"{name} has {len(values)} entries for {logits.shape[1]} classes")


def along_classes(values: Tensor, logits: Tensor) -> Tensor:
    """Values of the classes (C,) as (1, C, 1, …), to broadcast against the logits."""
    return values.view(1, -1, *[1] * (logits.ndim - 2))


def value_of_class(values: Tensor, index: Tensor) -> Tensor:
    """The value (of values (C,)) that belongs to the class of each voxel of ``index``."""
    # Several times as fast as values[index].
    return values.index_select(0, index.flatten()).view_as(index)


def subtract_margins(logits: Tensor, target: Tensor, margins: Tensor) -> Tensor:
    """Logits z_c − m_c·y_c for margins m (C,) of the classes; at ignored voxels, any."""
    if is_soft(logits, target):
        return logits - along_classes(margins, logits) * target
    index = valid_index(logits, target)
    return logits.scatter_add(1, index.unsqueeze(1), value_of_class(-margins, index).unsqueeze(1))


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    ignore_index: int,
    reduction: Reduction,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy, weighted by class where ``weights`` (C,) are given, and reduced."""
    logits = full_precision(logits)
    settings: dict[str, Any] = {"weight": weights, "ignore_index": ignore_index}
    if is_soft(logits, target):
        target, settings = target.to(logits), {"weight": weights}
    else:
        target = target.long()
    if reduction == "none":
        return F.cross_entropy(logits, target, reduction="none", **settings)
    # Summed by PyTorch, which spares its backward pass a tensor; its mean is not defined as ours.
    total = F.cross_entropy(logits, target, reduction="sum", **settings)
    return total if reduction == "sum" else total / count(logits, target, ignore_index)


def count(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor | int:
    """How many voxels count, at least 1."""
    if is_soft(logits, target):
        return target[:, 0].numel()
    return (target != ignore_index).count_nonzero().clamp(min=1)


def reduce(losses: Tensor, counted: Tensor | int, reduction: Reduction) -> Tensor:
    """Reduce voxel losses (B, *spatial), 0 where ignored, of which ``counted`` count."""
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / counted


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
