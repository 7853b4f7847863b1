"""A weighted sum of losses on the same logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from rarelens.components.objectives._voxels import ModifiedLogitsLoss, full_precision

__all__ = ["CompoundLoss"]


class CompoundLoss(nn.Module):
    """The weighted sum of several losses.

    Where one of them modifies the logits (a margin, a prior, a scale), the modified logits feed
    them all: ``CompoundLoss([FocalMarginLoss(4, 1, rare), FocalDiceLoss(4, rare)])`` is the
    asymmetric focal-margin loss of Li et al. (TMI 2021) with cross-entropy and Dice in equal
    parts, both on margin logits.

    Args:
        losses: the terms, each with a scalar value ("mean" or "sum").
        weights: their weights; None for 1 each.

    Raises:
        ValueError: without terms, with another number of weights, or if more than one term
            modifies the logits, since the order would matter.
    """

    def __init__(
        self,
        losses: Sequence[nn.Module],
        weights: Sequence[Annotated[float, Ge(0)]] | None = None,
    ) -> None:
        super().__init__()
        if len(losses) == 0:
            raise ValueError("losses is empty: name at least one")
        if weights is not None and len(weights) != len(losses):
            raise ValueError(f"there are {len(losses)} losses and {len(weights)} weights")
        modifying = [loss for loss in losses if isinstance(loss, ModifiedLogitsLoss)]
        if len(modifying) > 1:
            names = ", ".join(type(loss).__name__ for loss in modifying)
            raise ValueError(f"{names} modify the logits; one loss of a compound may")
        self.losses = nn.ModuleList(losses)
        self.weights = [1.0] * len(losses) if weights is None else list(weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, C, *spatial), target (B, *spatial) or (B, C, *spatial), to the loss."""
        logits = full_precision(logits)
        terms = list(self.losses)
        for position, term in enumerate(terms):
            if isinstance(term, ModifiedLogitsLoss):
                logits = term.modify(logits, target)
                terms[position] = term.base
        total = logits.new_zeros(())
        for weight, term in zip(self.weights, terms, strict=True):
            total = total + weight * term(logits, target)
        return total
