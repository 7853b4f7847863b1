from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import DiceLoss as Independent

import objectives_reference as reference
from rarelens.components.objectives import FocalDiceLoss


@pytest.mark.parametrize("rare", [None, [1]])
@pytest.mark.parametrize("gamma", [0.5, 4.0])
@pytest.mark.parametrize("smooth", [1e-5, 1.0])
def test_equals_its_formula(sample, gamma, rare, smooth):
    for target, y in ((sample.index, sample.y), (sample.soft, sample.soft.numpy())):
        expected = reference.focal_dice(sample.z, y, gamma, rare or [], smooth)
        actual = FocalDiceLoss(gamma, rare, smooth, reduction="none")(sample.logits, target)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
        np.testing.assert_allclose(
            FocalDiceLoss(gamma, rare, smooth)(sample.logits, target), expected.mean(), rtol=1e-6
        )


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("smooth", [1e-5, 1.0])
def test_exponent_0_is_monai_dice(sample, batch, smooth):
    """The formula's s is in its denominator alone, which is MONAI's s in both of its own."""
    settings = {"softmax": True, "include_background": False, "batch": batch, "smooth_dr": smooth}
    dice = Independent(**settings, smooth_nr=smooth)
    for rare in (None, [1]):
        actual = FocalDiceLoss(0, rare, smooth, batch)(sample.logits, sample.index)
        np.testing.assert_allclose(actual, dice(sample.logits, sample.hard), rtol=1e-9)


def test_exponent_0_differs_from_monai_without_smooth_numerator_by_s_over_the_sizes(sample):
    dice = Independent(softmax=True, include_background=False, smooth_nr=0, smooth_dr=1.0)
    p, y = sample.logits.softmax(1).flatten(2), sample.hard.flatten(2)
    sizes = (p + y).sum(2)[:, 1:] + 1.0
    expected = dice(sample.logits, sample.hard) - (1 / sizes).mean()
    actual = FocalDiceLoss(0, smooth=1.0)(sample.logits, sample.index)
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_with_all_foreground_rare_the_exponent_does_not_matter(sample):
    rare = list(range(1, sample.classes))
    values = [FocalDiceLoss(g, rare)(sample.logits, sample.index) for g in (0, 0.5, 2, 6)]
    assert all(torch.equal(value, values[0]) for value in values)


def test_no_class_rare_is_symmetric(sample):
    expected = FocalDiceLoss(3)(sample.logits, sample.index)
    assert torch.equal(FocalDiceLoss(3, [])(sample.logits, sample.index), expected)
    assert torch.equal(FocalDiceLoss(3, [0])(sample.logits, sample.index), expected)


def test_by_hand():
    """p = 1/2 everywhere, one voxel of two is of class 1: FP 1/2, FN 1/2 · w, TP 1/2."""
    logits, target = torch.zeros(1, 2, 1, 2, dtype=torch.float64), torch.tensor([[[0, 1]]])
    symmetric = FocalDiceLoss(2, smooth=1e-12)(logits, target)
    asymmetric = FocalDiceLoss(2, [1], smooth=1e-12)(logits, target)
    np.testing.assert_allclose(symmetric, (0.5 + 0.125) / 2, rtol=1e-9)
    np.testing.assert_allclose(asymmetric, 0.5, rtol=1e-9)


def test_a_class_that_is_absent_and_not_predicted_costs_nothing():
    logits = torch.tensor([1e4, -1e4]).view(1, 2, 1, 1).expand(1, 2, 3, 3)
    assert FocalDiceLoss()(logits, torch.zeros(1, 3, 3).long()).item() == 0
