"""Threshold tuning on validation cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from rarelens.components.dice import mean_dice

__all__ = ["Threshold"]

MOST = 10_000


class Threshold:
    """Add to the logits of rare classes what gives the best mean Dice on validation cases.

    Args:
        rare_classes: the dataset's rare classes, which all get the same value.
        largest: values from −largest to largest are tried, 0 among them.
        step: the distance of two values.

    Raises:
        ValueError: if more than `MOST` values of either sign would be tried.
    """

    def __init__(
        self,
        rare_classes: Sequence[int],
        largest: Annotated[float, Gt(0)] = 8.0,
        step: Annotated[float, Gt(0)] = 0.25,
    ) -> None:
        self.rare_classes = rare_classes
        if largest > MOST * step:
            raise ValueError(f"step {step:g} makes more than {MOST} values up to {largest:g}")
        number = int(largest / step)
        self.values = np.arange(-number, number + 1) * step

    def __call__(
        self, cases: Iterable[tuple[NDArray[np.float32], NDArray[Any]]]
    ) -> NDArray[np.float32]:
        """The bias (C,); of equally good values the one nearest to 0, the lower if two are.

        Raises:
            ValueError: if there is no case.
        """
        scores: list[NDArray[np.float64]] = []
        classes = 0
        for logits, labels in cases:
            classes = len(logits)
            scores.append(np.array([self._dice(logits, labels, value) for value in self.values]))
        if not scores:
            raise ValueError("a threshold is fitted on validation cases, and there are none")
        mean = np.mean(scores, axis=0)
        best = np.flatnonzero(mean == mean.max())
        chosen = self.values[best[np.abs(self.values[best]).argmin()]]
        return self._bias(classes, chosen)

    def _bias(self, classes: int, value: float) -> NDArray[np.float32]:
        bias = np.zeros(classes, np.float32)
        bias[list(self.rare_classes)] = value
        return bias

    def _dice(self, logits: NDArray[np.float32], labels: NDArray[Any], value: float) -> float:
        bias = self._bias(len(logits), value).reshape(-1, *[1] * labels.ndim)
        return mean_dice((logits + bias).argmax(0), labels, self.rare_classes)
