"""Post-hoc controls against hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.components.adjustments.logit_adjustment import LogitAdjustment
from rarelens.components.adjustments.threshold import Threshold


def test_logit_adjustment_subtracts_the_log_prior() -> None:
    bias = LogitAdjustment([0.9, 0.1], tau=2.0)([])
    assert bias == pytest.approx([-2 * np.log(0.9), -2 * np.log(0.1)])


def test_logit_adjustment_is_finite_for_an_absent_class() -> None:
    assert np.isfinite(LogitAdjustment([1.0, 0.0])([])).all()


def one_case(margins: list[float], truth: list[int]) -> tuple[np.ndarray, np.ndarray]:
    logits = np.stack([np.zeros(len(margins)), np.array(margins)]).astype(np.float32)
    return logits, np.array(truth)


def test_threshold_moves_the_boundary_to_where_dice_is_best() -> None:
    # True lesion voxels at −1.3 and −0.8, background below −2: anything in (1.3, 2) is perfect.
    case = one_case([-1.3, -0.8, -2.0, -5.0], [1, 1, 0, 0])
    bias = Threshold([1], largest=4.0, step=0.5)([case])
    assert bias == pytest.approx([0.0, 1.5])


def test_threshold_stays_at_zero_where_nothing_is_gained() -> None:
    case = one_case([2.0, 3.0, -2.0], [1, 1, 0])
    assert Threshold([1], largest=1.0, step=0.5)([case]) == pytest.approx([0.0, 0.0])


def test_threshold_averages_over_cases() -> None:
    # Lowering helps the first case (2/3 → 1) less than it harms the second (1 → 0).
    first = one_case([1.0, 0.4], [1, 0])
    second = one_case([0.3, -5.0], [1, 0])
    assert Threshold([1], largest=0.5, step=0.5)([first, second])[1] == 0


def test_threshold_needs_a_case() -> None:
    with pytest.raises(ValueError, match="fitted on validation cases, and there are none"):
        Threshold([1])(iter(()))


def test_all_rare_classes_move_alike() -> None:
    logits = np.zeros((3, 2), np.float32)
    logits[1], logits[2] = [-1.2, -9.0], [-9.0, -1.2]
    bias = Threshold([1, 2], largest=2.0, step=1.0)([(logits, np.array([1, 2]))])
    assert bias == pytest.approx([0.0, 2.0, 2.0])
