from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.components.objectives.cross_entropy import CrossEntropyLoss
from rarelens.components.objectives.large_margin import LargeMarginLoss


def formula(z, y, rare, margin, log_softmax) -> np.ndarray:
    """Cross-entropy of z'_c = z_c − m·y_c·r_c, a value a voxel."""
    r = np.array([c in rare for c in range(z.shape[1])], float).reshape(1, -1, *[1] * (z.ndim - 2))
    return -(y * log_softmax(z - margin * y * r)).sum(axis=1)


@pytest.mark.parametrize("margin", [0.2, 2.0])
@pytest.mark.parametrize("rare", [None, [1], [0, 1]])
def test_equals_its_formula(sample, numpy, margin, rare):
    among = range(sample.classes) if rare is None else rare
    expected = formula(sample.z, sample.y, among, margin, numpy.log_softmax)
    for reduction, value in (
        ("none", expected), ("sum", expected.sum()), ("mean", expected.mean()),
    ):  # fmt: skip
        loss = LargeMarginLoss(margin, rare, reduction=reduction)
        for target in (sample.index, sample.hard):
            np.testing.assert_allclose(loss(sample.logits, target), value, rtol=1e-6)


@pytest.mark.parametrize("rare", [None, [1]])
def test_soft_target_equals_its_formula(sample, numpy, rare):
    among = range(sample.classes) if rare is None else rare
    expected = formula(sample.z, sample.soft.numpy(), among, 1.0, numpy.log_softmax).mean()
    actual = LargeMarginLoss(1.0, rare)(sample.logits, sample.soft)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_by_hand():
    """Equal logits, two classes: −log(e^−m / (e^−m + 1)) = log(1 + e^m) for a rare voxel."""
    loss = LargeMarginLoss(1.5, [1], reduction="none")
    losses = loss(torch.zeros(1, 2, 2, dtype=torch.float64), torch.tensor([[0, 1]]))
    np.testing.assert_allclose(losses, [[np.log(2), np.log1p(np.exp(1.5))]], rtol=1e-12)


def test_margin_0_is_cross_entropy(sample):
    expected = CrossEntropyLoss()(sample.logits, sample.index)
    for rare in (None, [1]):
        assert torch.equal(LargeMarginLoss(0, rare)(sample.logits, sample.index), expected)


def test_with_all_classes_rare_the_asymmetric_form_is_the_symmetric_one(sample):
    every = LargeMarginLoss(1.0, list(range(sample.classes)))
    for target in (sample.index, sample.soft):
        expected = LargeMarginLoss(1.0)(sample.logits, target)
        assert torch.equal(every(sample.logits, target), expected)


def test_an_empty_list_of_rare_classes_is_refused():
    with pytest.raises(ValueError, match=r"rare_classes is empty.*give None"):
        LargeMarginLoss(1.0, [])
