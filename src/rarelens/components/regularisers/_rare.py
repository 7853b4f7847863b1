"""What the regularisers share about rare classes and voxels that do not count."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

IGNORED = -100


def is_rare(labels: Tensor, rare_classes: Sequence[int]) -> Tensor:
    """Where ``labels`` (any shape) are of a rare class, as a Boolean of the same shape."""
    return torch.isin(labels, torch.as_tensor(list(rare_classes)).to(labels))


def refuse_empty(rare_classes: Sequence[int] | None, consequence: str) -> None:
    """Refuse an empty list of rare classes.

    Raises:
        ValueError: saying the ``consequence`` that it would have.
    """
    if rare_classes is not None and len(rare_classes) == 0:
        raise ValueError(f"rare_classes is empty: {consequence}; name a class or give None")
