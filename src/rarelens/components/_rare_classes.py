"""What the asymmetric components share: which classes are rare, and where they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# Of labels that do not count.
IGNORED = -100


def refuse_empty(rare_classes: Sequence[int] | None, consequence: str) -> None:
    """Refuse an empty list of rare classes.

    Raises:
        ValueError: saying the ``consequence`` that it would have.
    """
    if rare_classes is not None and len(rare_classes) == 0:
        raise ValueError(f"rare_classes is empty: {consequence}; name a class or give None")


def refuse_unknown(rare_classes: Sequence[int], classes: int) -> None:
    """Refuse rare classes that are not among so many.

    Raises:
        ValueError: naming them.
    """
    if outside := [c for c in rare_classes if not 0 <= c < classes]:
        raise ValueError(f"rare_classes {outside} are not among the {classes} classes")


def is_rare(labels: Tensor, rare_classes: Sequence[int]) -> Tensor:
    """Where ``labels`` (any shape) are of a rare class, as a Boolean of the same shape."""
    return torch.isin(labels, torch.as_tensor(list(rare_classes)).to(labels))


def one_hot(labels: Tensor, counts: Tensor, classes: int) -> Tensor:
    """Labels (B, *spatial) as float32 (B, classes, *spatial), 0 where a voxel does not count."""
    hot = F.one_hot(labels.where(counts, 0), classes).movedim(-1, 1)
    return (hot * counts.unsqueeze(1)).float()


def class_mask(rare_classes: Sequence[int] | None, logits: Tensor) -> Tensor:
    """r_c, whether a class is rare, as a Boolean (C,); all classes where ``rare_classes`` is None.

    Raises:
        ValueError: if a class is not among those of the logits (B, C, *spatial).
    """
    classes = logits.shape[1]
    if rare_classes is None:
        return torch.ones(classes, dtype=torch.bool, device=logits.device)
    refuse_unknown(rare_classes, classes)
    mask = torch.zeros(classes, dtype=torch.bool, device=logits.device)
    mask[list(rare_classes)] = True
    return mask
