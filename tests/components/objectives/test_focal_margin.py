from __future__ import annotations

import numpy as np
import pytest
import torch

import objectives_reference as reference
from rarelens.components.objectives import (
    CrossEntropyLoss,
    FocalLoss,
    FocalMarginLoss,
    LargeMarginLoss,
)


@pytest.mark.parametrize("rare", [None, [1]])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_equals_its_formula(sample, gamma, rare):
    for target, y in ((sample.index, sample.y), (sample.soft, sample.soft.numpy())):
        expected = reference.focal_margin(sample.z, y, gamma, 0.7, rare)
        actual = FocalMarginLoss(gamma, 0.7, rare, reduction="none")(sample.logits, target)
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-100)


@pytest.mark.parametrize("rare", [None, [1]])
def test_exponent_0_is_large_margin_and_margin_0_is_focal(sample, rare):
    z, y = sample.logits, sample.index
    assert torch.equal(FocalMarginLoss(0, 0.7, rare)(z, y), LargeMarginLoss(0.7, rare)(z, y))
    assert torch.equal(FocalMarginLoss(2, 0, rare)(z, y), FocalLoss(2, rare)(z, y))
    assert torch.equal(FocalMarginLoss(0, 0, rare)(z, y), CrossEntropyLoss()(z, y))


def test_all_classes_rare_is_symmetric_large_margin(sample):
    every = list(range(sample.classes))
    actual = FocalMarginLoss(2, 0.7, every)(sample.logits, sample.index)
    assert torch.equal(actual, LargeMarginLoss(0.7)(sample.logits, sample.index))


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="rare_classes is empty: no class would have a margin"):
        FocalMarginLoss(rare_classes=[])
