from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import objectives_reference as reference
from rarelens.components.objectives import (
    CompoundLoss,
    CrossEntropyLoss,
    DiceCrossEntropyLoss,
    DiceLoss,
    FocalDiceLoss,
    FocalLoss,
    FocalMarginLoss,
    LargeMarginLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    VectorScalingLoss,
)


def test_is_the_weighted_sum(sample):
    z, y = sample.logits, sample.index
    compound = CompoundLoss([FocalLoss(2), DiceLoss()], [0.3, 2])
    torch.testing.assert_close(compound(z, y), 0.3 * FocalLoss(2)(z, y) + 2 * DiceLoss()(z, y))
    equal = CompoundLoss([CrossEntropyLoss(), DiceLoss()])
    torch.testing.assert_close(equal(z, y), DiceCrossEntropyLoss()(z, y))


@pytest.mark.parametrize("rare", [None, [1]])
@pytest.mark.parametrize("margin_first", [True, False])
def test_margin_logits_feed_both_terms(sample, rare, margin_first):
    for target, y in ((sample.index, sample.y), (sample.soft, sample.soft.numpy())):
        with_margin = list(range(sample.classes)) if rare is None else rare
        margin_logits = sample.z - 0.7 * y * reference.membership(with_margin, sample.z)
        voxels = reference.focal(margin_logits, y, 4, rare or [])
        dice = reference.focal_dice(margin_logits, y, 4, rare or [], 1e-5)
        terms = [FocalMarginLoss(4, 0.7, rare), FocalDiceLoss(4, rare)]
        compound = CompoundLoss(terms if margin_first else terms[::-1])
        actual = compound(sample.logits, target)
        np.testing.assert_allclose(actual, voxels.mean() + dice.mean(), rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LargeMarginLoss(0.8),
        lambda: LogitAdjustedLoss([50, 3, 1]),
        lambda: LDAMLoss([50, 3, 1], scale=2),
        lambda: VectorScalingLoss([50, 3, 1]),
    ],
)
def test_every_modification_feeds_both_terms(make, draw):
    sample = draw(3)
    modified = make().modify(sample.logits, sample.index)
    expected = make()(sample.logits, sample.index) + DiceLoss()(modified, sample.index)
    actual = CompoundLoss([make(), DiceLoss()])(sample.logits, sample.index)
    torch.testing.assert_close(actual, expected)
    assert actual != make()(sample.logits, sample.index) + DiceLoss()(sample.logits, sample.index)


def test_without_margin_the_terms_see_the_logits_themselves(sample):
    z, y = sample.logits, sample.index
    compound = CompoundLoss([LargeMarginLoss(0), DiceLoss()])
    assert torch.equal(compound(z, y), CompoundLoss([CrossEntropyLoss(), DiceLoss()])(z, y))


def test_the_losses_are_its_modules():
    compound = CompoundLoss([LogitAdjustedLoss([3, 1]), DiceLoss()]).to(torch.float32)
    assert all(isinstance(loss, nn.Module) for loss in compound.losses)
    assert "losses.0.offsets" in compound.state_dict()


def test_an_impossible_compound_is_refused():
    with pytest.raises(ValueError, match="losses is empty"):
        CompoundLoss([])
    with pytest.raises(ValueError, match="there are 1 losses and 2 weights"):
        CompoundLoss([DiceLoss()], [1, 2])
    with pytest.raises(ValueError, match="LargeMarginLoss, LDAMLoss modify the logits"):
        CompoundLoss([LargeMarginLoss(), LDAMLoss([3, 1])])
