from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import DiceLoss
from torch.nn import functional as F

from rarelens.components.objectives.dice_cross_entropy import DiceCrossEntropyLoss


@pytest.mark.parametrize("smooth", [1e-5, 1.0])
def test_equals_monai_s_dice_plus_pytorch_s_cross_entropy(sample, smooth):
    dice = DiceLoss(
        include_background=False, to_onehot_y=True, softmax=True, smooth_nr=smooth, smooth_dr=smooth
    )
    expected = dice(sample.logits, sample.index.unsqueeze(1)) + F.cross_entropy(
        sample.logits, sample.index
    )
    loss = DiceCrossEntropyLoss(smooth)
    for target in (sample.index, sample.hard):
        np.testing.assert_allclose(loss(sample.logits, target), expected, rtol=1e-6)


def test_equals_its_formula(sample, numpy):
    """1 − (2 Σ p y + s) / (Σ p + Σ y + s), mean over foreground classes and samples, plus CE."""
    y = sample.soft.numpy()
    log_p = numpy.log_softmax(sample.z)
    axes = tuple(range(2, y.ndim))
    both, p, of = ((a.sum(axis=axes)) for a in (np.exp(log_p) * y, np.exp(log_p), y))
    dice = 1 - (2 * both + 1e-5) / (p + of + 1e-5)
    expected = dice[:, 1:].mean() - (y * log_p).sum(axis=1).mean()
    actual = DiceCrossEntropyLoss()(sample.logits, sample.soft)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_a_perfect_prediction_costs_nothing_even_where_a_class_is_absent(draw):
    sample = draw(3)
    index = sample.index.clamp(max=1)
    logits = 1e4 * F.one_hot(index, 3).movedim(-1, 1).double()
    assert DiceCrossEntropyLoss()(logits, index).item() == pytest.approx(0, abs=1e-12)
    assert DiceCrossEntropyLoss()(-logits, index).item() > 1
    assert torch.isfinite(DiceCrossEntropyLoss()(-logits, index))
