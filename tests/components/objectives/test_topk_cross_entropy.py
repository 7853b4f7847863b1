from __future__ import annotations

import numpy as np
import pytest
import torch

import objectives_reference as reference
from rarelens.components.objectives import CrossEntropyLoss, TopKCrossEntropyLoss


@pytest.mark.parametrize("fraction", [0.1, 0.25, 1.0])
def test_equals_its_formula(sample, fraction):
    count = round(fraction * sample.index.numel())
    for target, y in ((sample.index, sample.y), (sample.soft, sample.soft.numpy())):
        expected = reference.topk_cross_entropy(sample.z, y, count)
        actual = TopKCrossEntropyLoss(fraction)(sample.logits, target)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_all_voxels_are_cross_entropy(sample):
    actual = TopKCrossEntropyLoss(1.0)(sample.logits, sample.index)
    torch.testing.assert_close(actual, CrossEntropyLoss()(sample.logits, sample.index))


def test_only_the_hardest_voxels_have_a_gradient(draw):
    sample = draw(3)
    logits = sample.logits.requires_grad_()
    losses = CrossEntropyLoss(reduction="none")(logits, sample.index).detach()
    TopKCrossEntropyLoss(0.25)(logits, sample.index).backward()
    touched = (logits.grad != 0).any(dim=1)
    assert touched.sum() == 10
    assert losses[touched].min() > losses[~touched].max()


def test_the_share_is_of_the_voxels_that_count_and_at_least_one_voxel():
    logits = torch.tensor([[[3.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0]]])
    target = torch.tensor([[0, 0, 0, -100]])
    losses = CrossEntropyLoss(reduction="none")(logits, target)[0]
    assert torch.equal(TopKCrossEntropyLoss(0.01)(logits, target), losses[2])
    torch.testing.assert_close(TopKCrossEntropyLoss(2 / 3)(logits, target), losses[1:3].mean())


def test_the_share_is_rounded_to_voxels():
    """0.29 · 100 is 28.999… in floating point."""
    logits = torch.arange(100.0, dtype=torch.float64).view(1, 1, 100)
    logits = torch.cat([logits / 100, torch.zeros_like(logits)], dim=1)
    target = torch.ones(1, 100).long()
    chosen = TopKCrossEntropyLoss(0.29, reduction="none")(logits, target)
    assert (chosen > 0).nonzero()[:, 1].tolist() == list(range(71, 100))
