"""What the voxel-wise objectives share: precision, targets, rare classes, reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

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


def class_mask(rare_classes: Sequence[int] | None, logits: Tensor) -> Tensor:
    """r_c of METHODS §1 as a Boolean (C,); all classes where ``rare_classes`` is None.

    Raises:
        ValueError: if a class is not among those of the logits.
    """
    classes = logits.shape[1]
    if rare_classes is None:
        return torch.ones(classes, dtype=torch.bool, device=logits.device)
    if outside := [c for c in rare_classes if not 0 <= c < classes]:
        raise ValueError(f"rare_classes {outside} are not among the {classes} classes")
    mask = torch.zeros(classes, dtype=torch.bool, device=logits.device)
    mask[list(rare_classes)] = True
    return mask


def refuse_empty(rare_classes: Sequence[int] | None, consequence: str) -> None:
    """Refuse an empty list of rare classes, which would undo an asymmetric loss."""
    if rare_classes is not None and len(rare_classes) == 0:
        raise ValueError(f"rare_classes is empty: {consequence}; name a class or give None")


def reduce(losses: Tensor, counts: Tensor | None, reduction: Reduction) -> Tensor:
    """Reduce voxel losses (B, *spatial); ``counts`` marks the voxels that count (None: all)."""
    if counts is not None:
        losses = losses.where(counts, losses.new_zeros(()))
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if counts is None else losses.sum() / counts.sum().clamp(min=1)
