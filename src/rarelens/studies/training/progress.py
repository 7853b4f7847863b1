"""How far a training has come: its history, and the best weights so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

Row = dict[str, float]


@dataclass
class Progress:
    """State of a training between two epochs; a checkpoint holds it.

    Attributes:
        step: batches taken; optimiser steps, but under ``separate_steps`` one for each term.
        gradient_evaluations: forward and backward passes over a batch.
        history: a row per epoch: step, loss, learning_rate and, where there is a validation, its
            score.
        best_score: the best of the validation so far.
        best_step: when that was.
        best_weights: the weights then, kept where the best are to be selected.
    """

    step: int = 0
    gradient_evaluations: int = 0
    history: list[Row] = field(default_factory=list)
    best_score: float = -1.0
    best_step: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def record(self, row: Row, score: float | None, weights: dict[str, Tensor] | None) -> None:
        """Add an epoch's row; ``weights`` are copied if its ``score`` is the best so far."""
        self.history.append(row)
        if score is None or score <= self.best_score:
            return
        self.best_score, self.best_step = score, self.step
        if weights is not None:
            self.best_weights = {key: value.detach().clone() for key, value in weights.items()}

    def stagnant(self, patience: int | None) -> bool:
        """Whether the last ``patience`` epochs brought no better score."""
        if patience is None:
            return False
        since_best = sum(row["step"] > self.best_step for row in self.history)
        return since_best >= patience

    def state_dict(self) -> dict[str, Any]:
        """All attributes."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over all attributes."""
        vars(self).update(state)
