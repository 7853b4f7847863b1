"""Losses that know how frequent the classes are: logit-adjusted, LDAM, vector scaling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import objectives_reference as reference
from rarelens.components.objectives import (
    CrossEntropyLoss,
    LargeMarginLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    VectorScalingLoss,
)

COUNTS = {2: [9000.0, 10.0], 5: [9000.0, 10.0, 400.0, 3.0, 77.0]}


@pytest.fixture(params=["index", "soft"])
def target(request, sample):
    return getattr(sample, request.param)


@pytest.fixture
def y(target, sample):
    return target.numpy() if target.ndim == sample.z.ndim else sample.y


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_logit_adjusted_equals_its_formula(sample, target, y, tau):
    priors = [n / sum(COUNTS[sample.classes]) for n in COUNTS[sample.classes]]
    expected = reference.logit_adjusted(sample.z, y, priors, tau)
    actual = LogitAdjustedLoss(priors, tau, reduction="none")(sample.logits, target)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-100)


def test_balanced_softmax_is_logit_adjustment_with_temperature_1(sample):
    counts = torch.tensor(COUNTS[sample.classes], dtype=torch.float64)
    shape = (1, -1, *[1] * (sample.logits.ndim - 2))
    balanced = CrossEntropyLoss()(sample.logits + counts.log().view(shape), sample.index)
    actual = LogitAdjustedLoss((counts / counts.sum()).tolist())(sample.logits, sample.index)
    np.testing.assert_allclose(actual, balanced, rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_ldam_equals_its_formula(sample, target, y, scale):
    counts = COUNTS[sample.classes]
    expected = reference.ldam(sample.z, y, counts, 0.5, scale)
    actual = LDAMLoss(counts, 0.5, scale, reduction="none")(sample.logits, target)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-100)


@pytest.mark.parametrize(("gamma", "tau"), [(0.15, 1.0), (0.5, 0.0), (0.3, 2.0)])
def test_vector_scaling_equals_its_formula(sample, target, y, gamma, tau):
    counts = COUNTS[sample.classes]
    expected = reference.vector_scaling(sample.z, y, counts, gamma, tau)
    actual = VectorScalingLoss(counts, gamma, tau, reduction="none")(sample.logits, target)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-100)


def test_without_their_options_they_are_cross_entropy(sample):
    counts = COUNTS[sample.classes]
    expected = CrossEntropyLoss()(sample.logits, sample.index)
    for loss in (
        LogitAdjustedLoss(counts, 0),
        LDAMLoss(counts, 0),
        VectorScalingLoss(counts, 0, 0),
    ):
        assert torch.equal(loss(sample.logits, sample.index), expected)


def test_vector_scaling_without_scaling_is_logit_adjusted(sample):
    counts = COUNTS[sample.classes]
    expected = LogitAdjustedLoss(counts, 1.3)(sample.logits, sample.index)
    actual = VectorScalingLoss(counts, 0, 1.3)(sample.logits, sample.index)
    torch.testing.assert_close(actual, expected)


def test_ldam_of_balanced_classes_is_symmetric_large_margin(sample):
    expected = LargeMarginLoss(0.5)(sample.logits, sample.index)
    actual = LDAMLoss([7] * sample.classes, 0.5)(sample.logits, sample.index)
    torch.testing.assert_close(actual, expected)


def test_ldam_margins_by_hand():
    """A sixteenth of the voxels: twice the margin."""
    torch.testing.assert_close(
        LDAMLoss([160, 10, 0, 1]).margins,
        torch.tensor([0.5 / 160**0.25, 0.5 / 10**0.25, 0.5, 0.5], dtype=torch.float64),
    )
    assert LDAMLoss([160, 10]).margins.tolist() == [0.25, 0.5]


def test_a_prior_of_0_is_refused():
    with pytest.raises(ValueError, match=r"class_priors \[1.0, 0.0\] are not all positive"):
        LogitAdjustedLoss([1.0, 0.0])


@pytest.mark.parametrize("make", [LogitAdjustedLoss, LDAMLoss, VectorScalingLoss])
def test_another_number_of_classes_is_refused(make, draw):
    sample = draw(3)
    with pytest.raises(ValueError, match="has 2 entries for 3 classes"):
        make([5, 1])(sample.logits, sample.index)
