"""Mean Dice by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.components.dice import mean_dice


def test_by_hand() -> None:
    predicted, truth = np.array([1, 1, 2, 0]), np.array([1, 0, 2, 2])
    assert mean_dice(predicted, truth, [1, 2]) == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_a_class_in_neither_counts_as_one() -> None:
    assert mean_dice(np.array([0, 1]), np.array([0, 1]), [1, 2]) == 1.0


def test_a_missed_class_counts_as_zero() -> None:
    assert mean_dice(np.array([0, 0]), np.array([0, 1]), [1]) == 0.0
