"""Against the formula, the paper's case, and MONAI's defects."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.losses.unified_focal_loss import AsymmetricFocalTverskyLoss

import objectives_reference as reference
from rarelens.components.objectives import AsymmetricUnifiedFocalLoss, CrossEntropyLoss


@pytest.mark.parametrize("rare", [None, [1]])
@pytest.mark.parametrize(("weight", "delta", "gamma"), [(0.5, 0.6, 0.5), (0.3, 0.8, 0.2)])
def test_equals_its_formula(sample, weight, delta, gamma, rare):
    chosen = list(range(1, sample.classes)) if rare is None else rare
    for target, y in ((sample.index, sample.y), (sample.soft, sample.soft.numpy())):
        expected = reference.unified_focal(sample.z, y, weight, delta, gamma, chosen)
        loss = AsymmetricUnifiedFocalLoss(weight, delta, gamma, rare, reduction="none")
        np.testing.assert_allclose(loss(sample.logits, target), expected, rtol=1e-6)


def test_tversky_part_equals_monai_on_probabilities(draw):
    """MONAI's part of two classes is right where it is given what it does not compute itself."""
    sample = draw(2, (4, 5, 6), 1.0)
    independent = AsymmetricFocalTverskyLoss(delta=0.6, gamma=0.5)
    expected = independent(sample.logits.softmax(1), sample.hard)
    actual = AsymmetricUnifiedFocalLoss(weight=0)(sample.logits, sample.index)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_logits_are_activated(draw):
    """A constant added to the logits of a voxel changes nothing."""
    sample = draw(3)
    loss = AsymmetricUnifiedFocalLoss()
    expected = loss(sample.logits, sample.index)
    torch.testing.assert_close(loss(sample.logits + 7.0, sample.index), expected)


@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("wrong", [0, 1])
def test_classes_from_2_on_count(weight, wrong):
    """Voxels of class 2 of 3 that are predicted as another class raise the loss."""
    target = torch.tensor([[[0, 1, 2, 2]]])
    right = 5 * torch.nn.functional.one_hot(target, 3).movedim(-1, 1).double()
    mistaken = right.clone()
    mistaken[..., 2:] = 0
    mistaken[:, wrong, :, 2:] = 5
    loss = AsymmetricUnifiedFocalLoss(weight)
    assert loss(mistaken, target) > 2 * loss(right, target)


def test_reduction_is_honoured(draw):
    sample = draw(3)
    values = AsymmetricUnifiedFocalLoss(reduction="none")(sample.logits, sample.index)
    assert values.shape == (2,)
    assert values[0] != values[1]
    for reduction, expected in (("sum", values.sum()), ("mean", values.mean())):
        actual = AsymmetricUnifiedFocalLoss(reduction=reduction)(sample.logits, sample.index)
        torch.testing.assert_close(actual, expected)


def test_focal_part_is_not_halved():
    """One voxel, p = 1/2, of the rare class: −δ log p, and not its mean over two classes."""
    logits, target = torch.zeros(1, 2, 1, dtype=torch.float64), torch.tensor([[1]])
    actual = AsymmetricUnifiedFocalLoss(weight=1, delta=0.6)(logits, target)
    np.testing.assert_allclose(actual, 0.6 * math.log(2), rtol=1e-12)


def test_without_emphasis_the_focal_part_is_half_of_cross_entropy(sample):
    loss = AsymmetricUnifiedFocalLoss(weight=1, delta=0.5, gamma=0)
    expected = CrossEntropyLoss()(sample.logits, sample.index) / 2
    torch.testing.assert_close(loss(sample.logits, sample.index), expected)


def test_none_is_every_foreground_class(sample):
    every = AsymmetricUnifiedFocalLoss(rare_classes=list(range(1, sample.classes)))
    expected = every(sample.logits, sample.index)
    assert torch.equal(AsymmetricUnifiedFocalLoss()(sample.logits, sample.index), expected)


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="rare_classes is empty: no class would be enhanced"):
        AsymmetricUnifiedFocalLoss(rare_classes=[])
