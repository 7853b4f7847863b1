from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.components.objectives.cross_entropy import CrossEntropyLoss
from rarelens.components.objectives.weighted_cross_entropy import WeightedCrossEntropyLoss

COUNTS = [90_000, 700, 40, 9_000, 3]


def weights(counts: list[float], power: float) -> np.ndarray:
    """w_c ∝ n_c^(−k), with mean 1."""
    raw = np.array(counts, float) ** -power
    return raw / raw.mean()


@pytest.mark.parametrize("power", [1, 0.5])
def test_equals_its_formula(sample, numpy, power):
    counts = COUNTS[: sample.classes]
    w = weights(counts, power).reshape(1, -1, *[1] * (sample.z.ndim - 2))
    terms = -(w * sample.y * numpy.log_softmax(sample.z)).sum(axis=1)
    # Divided by the number of voxels, not by the sum of their weights.
    for reduction, value in (
        ("none", terms), ("sum", terms.sum()), ("mean", terms.sum() / terms.size),
    ):  # fmt: skip
        loss = WeightedCrossEntropyLoss(counts, power, reduction=reduction)
        for target in (sample.index, sample.hard):
            np.testing.assert_allclose(loss(sample.logits, target), value, rtol=1e-6)


def test_soft_target_equals_its_formula(sample, numpy):
    counts = COUNTS[: sample.classes]
    w = weights(counts, 1).reshape(1, -1, *[1] * (sample.z.ndim - 2))
    expected = -(w * sample.soft.numpy() * numpy.log_softmax(sample.z)).sum(axis=1).mean()
    actual = WeightedCrossEntropyLoss(counts)(sample.logits, sample.soft)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_weights_have_mean_1_and_follow_the_inverse_counts():
    loss = WeightedCrossEntropyLoss([100, 10, 1])
    np.testing.assert_allclose(loss.weights, np.array([0.01, 0.1, 1]) * 3 / 1.11, rtol=1e-12)
    assert loss.weights.mean().item() == pytest.approx(1)
    root = WeightedCrossEntropyLoss([100, 4], power=0.5).weights
    assert (root[1] / root[0]).item() == pytest.approx(5)


def test_mean_is_over_voxels_and_not_over_weights(draw):
    """PyTorch's weighted mean divides by Σw: the two differ where the rare class is rare."""
    sample = draw(2)
    rare = torch.zeros_like(sample.index)
    rare[0, 0, 0] = 1
    loss = WeightedCrossEntropyLoss([1000, 1])
    pytorch = torch.nn.functional.cross_entropy(sample.logits, rare, weight=loss.weights)
    total = loss.weights[rare].sum() / rare.numel()
    assert loss(sample.logits, rare).item() == pytest.approx((pytorch * total).item())
    assert abs(total.item() - 1) > 0.1


def test_an_absent_class_counts_as_one_voxel():
    absent = WeightedCrossEntropyLoss([100, 0, 5]).weights
    assert torch.equal(absent, WeightedCrossEntropyLoss([100, 1, 5]).weights)
    assert torch.isfinite(absent).all()


def test_equal_counts_or_power_0_give_cross_entropy(sample):
    expected = CrossEntropyLoss()(sample.logits, sample.index)
    for loss in (
        WeightedCrossEntropyLoss([7] * sample.classes),
        WeightedCrossEntropyLoss(COUNTS[: sample.classes], power=0),
    ):
        assert torch.equal(loss(sample.logits, sample.index), expected)


def test_weights_move_and_are_saved_with_the_module():
    state = WeightedCrossEntropyLoss([3, 1]).state_dict()
    assert torch.equal(state["weights"], torch.tensor([0.5, 1.5], dtype=torch.float64))
