from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.components.objectives.cross_entropy import CrossEntropyLoss
from rarelens.components.objectives.focal import FocalLoss


def formula(z, y, rare, gamma, numpy) -> np.ndarray:
    """−Σ_c [ r_c y_c log p_c + (1 − r_c)(1 − p_c)^γ y_c log p_c ], a value a voxel."""
    r = np.array([c in rare for c in range(z.shape[1])], float).reshape(1, -1, *[1] * (z.ndim - 2))
    entropies = y * numpy.log_softmax(z)
    return -(r * entropies + (1 - r) * numpy.misses(z) ** gamma * entropies).sum(axis=1)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 6])
@pytest.mark.parametrize("rare", [None, [1], [0, 1]])
def test_equals_its_formula(sample, numpy, gamma, rare):
    expected = formula(sample.z, sample.y, rare or (), gamma, numpy)
    for reduction, value in (
        ("none", expected), ("sum", expected.sum()), ("mean", expected.mean()),
    ):  # fmt: skip
        loss = FocalLoss(gamma, rare, reduction=reduction)
        for target in (sample.index, sample.hard):
            actual = loss(sample.logits, target)
            np.testing.assert_allclose(actual, value, rtol=1e-6, atol=1e-100)


@pytest.mark.parametrize("rare", [None, [1]])
def test_soft_target_equals_its_formula(sample, numpy, rare):
    expected = formula(sample.z, sample.soft.numpy(), rare or (), 2.0, numpy).mean()
    actual = FocalLoss(2.0, rare)(sample.logits, sample.soft)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_by_hand():
    """p = 1/2 for two classes: log 2 for a rare voxel, a quarter of it (γ = 2) for another."""
    loss = FocalLoss(2.0, [1], reduction="none")
    losses = loss(torch.zeros(1, 2, 2, dtype=torch.float64), torch.tensor([[0, 1]]))
    np.testing.assert_allclose(losses, [[np.log(2) / 4, np.log(2)]], rtol=1e-12)


def test_equals_an_independent_implementation(draw):
    from monai.losses import FocalLoss as Independent

    sample = draw(4, (3, 4, 5))
    independent = Independent(gamma=2.0, use_softmax=True, to_onehot_y=True, reduction="none")
    expected = independent(sample.logits, sample.index.unsqueeze(1)).sum(1)
    actual = FocalLoss(2.0, reduction="none")(sample.logits, sample.index)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)  # MONAI's is in float32


def test_exponent_0_is_cross_entropy(sample):
    expected = CrossEntropyLoss()(sample.logits, sample.index)
    for rare in (None, [1]):
        assert torch.equal(FocalLoss(0, rare)(sample.logits, sample.index), expected)


def test_with_all_classes_rare_it_is_cross_entropy(sample):
    loss = FocalLoss(2.0, list(range(sample.classes)))
    expected = CrossEntropyLoss()(sample.logits, sample.index)
    assert torch.equal(loss(sample.logits, sample.index), expected)


def test_with_no_class_rare_the_asymmetric_form_is_the_symmetric_one(sample):
    for target in (sample.index, sample.soft):
        expected = FocalLoss(2.0)(sample.logits, target)
        assert torch.equal(FocalLoss(2.0, [])(sample.logits, target), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("gamma", [1e-3, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("form", ["index", "hard"])
def test_a_certain_voxel_has_a_finite_gradient_for_exponents_below_1(draw, dtype, gamma, form):
    """There (1 − p)^γ has an infinite slope at p = 1."""
    sample = draw(2)
    for confidence in (8.0, 20.0, 60.0, 2e4):
        logits = (confidence * (2 * sample.hard - 1)).to(dtype).requires_grad_()
        target = getattr(sample, form)
        loss = FocalLoss(gamma)(logits, target if form == "index" else target.float())
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()
