from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.components.objectives.cross_entropy import CrossEntropyLoss


def test_equals_its_formula(sample, numpy):
    expected = -(sample.y * numpy.log_softmax(sample.z)).sum(axis=1)
    for reduction, value in (
        ("none", expected), ("sum", expected.sum()), ("mean", expected.mean()),
    ):  # fmt: skip
        loss = CrossEntropyLoss(reduction=reduction)
        for target in (sample.index, sample.hard):
            np.testing.assert_allclose(loss(sample.logits, target), value, rtol=1e-6)


def test_soft_target_equals_its_formula(sample, numpy):
    expected = -(sample.soft.numpy() * numpy.log_softmax(sample.z)).sum(axis=1).mean()
    np.testing.assert_allclose(CrossEntropyLoss()(sample.logits, sample.soft), expected, rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 5])
def test_undecided_logits_cost_the_logarithm_of_the_number_of_classes(classes):
    loss = CrossEntropyLoss()(torch.zeros(1, classes, 3, 3), torch.zeros(1, 3, 3).long())
    assert loss.item() == pytest.approx(np.log(classes))
