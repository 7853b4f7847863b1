"""Where one classification objective equals another, or one of PyTorch or MONAI."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rarelens.components import objectives as o


@pytest.fixture(params=[3.0, 1e4], ids=["usual", "extreme"])
def logits(request) -> torch.Tensor:
    drawn = np.random.default_rng(0).standard_normal((16, 5)) * request.param
    return torch.from_numpy(drawn).requires_grad_()


@pytest.fixture
def targets() -> torch.Tensor:
    return torch.from_numpy((np.random.default_rng(1).random((16, 5)) < 0.4).astype(float))


def gradients(loss, logits, targets) -> torch.Tensor:
    return torch.autograd.grad(loss(logits, targets), logits)[0]


EVEN = [50.0, 7.0, 1.0, 300.0, 20.0]
IDENTITIES = {
    "focal, γ = 0, α = ½": lambda z, y: 2 * o.SigmoidFocalLoss(0.5, 0.0)(z, y),
    "asymmetric, γ = 0, m = 0": o.AsymmetricMultiLabelLoss(0.0, 0.0, 0.0),
    "weighted, n⁺ = n⁻": o.WeightedBCELoss(EVEN, EVEN),
    "inter-class, equal n": o.InterClassWeightedBCELoss([9] * 5),
    "class-balanced, β = 0, γ = 0": lambda z, y: (
        2 * o.ClassBalancedFocalLoss(EVEN, [1] * 5, beta=0.0, gamma=0.0)(z, y)
    ),
    "multi-task, s = 0": o.MultiTaskLoss(5),
    "logit-adjusted, π = ½": o.SigmoidLogitAdjustedLoss(EVEN, EVEN),
    "logit-adjusted, τ = 0": o.SigmoidLogitAdjustedLoss(EVEN, [1000] * 5, tau=0.0),
    "LDAM, no margin": o.SigmoidLDAMLoss(EVEN, max_margin=0.0),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_equals_binary_cross_entropy(name, logits, targets):
    loss = IDENTITIES[name]
    expected = F.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(loss(logits, targets), expected, rtol=1e-12, atol=1e-300)
    torch.testing.assert_close(
        gradients(loss, logits, targets),
        gradients(F.binary_cross_entropy_with_logits, logits, targets),
        rtol=1e-12,
        atol=1e-16,  # PyTorch's gradient is p − 1 where ours keeps the digits of 1 − p
    )


def test_bce_equals_that_of_pytorch(logits, targets):
    expected = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    actual = o.BinaryCrossEntropyLoss(reduction="none")(logits, targets)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-300)


def test_weighted_bce_equals_that_of_pytorch_with_positive_weights(logits, targets):
    positives, negatives = torch.tensor(EVEN), torch.tensor([100.0] * 5)
    expected = F.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=(negatives / positives).double()
    )
    loss = o.WeightedBCELoss(EVEN, [100] * 5)
    torch.testing.assert_close(loss(logits, targets), expected, rtol=1e-6, atol=0)


def test_weights_from_the_dataset_give_both_signs_the_same_total(targets):
    positives, negatives = targets.sum(0), (1 - targets).sum(0)
    each = o.WeightedBCELoss(positives, negatives, reduction="none")(torch.zeros(16, 5), targets)
    torch.testing.assert_close((each * targets).sum(0), (each * (1 - targets)).sum(0))


def test_both_sources_agree_where_the_batch_is_the_dataset(logits, targets):
    counts = targets.sum(0), (1 - targets).sum(0)
    dataset, batch = (o.WeightedBCELoss(*counts, source=s) for s in ("dataset", "batch"))
    torch.testing.assert_close(batch(logits, targets), dataset(logits, targets))


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.6, 3.0)])
def test_focal_equals_that_of_monai(logits, targets, alpha, gamma):
    from monai.losses import FocalLoss

    expected = FocalLoss(gamma=gamma, alpha=alpha)(logits, targets)
    actual = o.SigmoidFocalLoss(alpha, gamma)(logits, targets)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-12, check_dtype=False)


def test_asymmetric_with_equal_exponents_and_no_clip_is_focal(logits, targets):
    asymmetric = o.AsymmetricMultiLabelLoss(2.0, 2.0, 0.0)(logits, targets)
    torch.testing.assert_close(asymmetric, 2 * o.SigmoidFocalLoss(0.5, 2.0)(logits, targets))


def test_asymmetric_drops_negatives_below_the_clip():
    logits = torch.tensor([[-3.5, -2.0]], requires_grad=True)  # p = 0.03 and 0.12
    o.AsymmetricMultiLabelLoss()(logits, torch.zeros(1, 2)).backward()
    assert logits.grad[0, 0] == 0
    assert logits.grad[0, 1] > 0


def test_class_balanced_tends_to_inverse_frequency_and_equal_counts_to_one_half():
    counts = torch.tensor([10.0, 200.0])
    near_one = o.ClassBalancedFocalLoss(counts, [1000, 1000], beta=1 - 1e-9)
    np.testing.assert_allclose(near_one.alpha, 1000 / (1000 + counts), rtol=1e-5)
    equal = o.ClassBalancedFocalLoss(counts, counts)
    np.testing.assert_allclose(equal.alpha, 0.5)


def test_multi_task_learns_larger_variances_for_harder_classes():
    torch.manual_seed(0)
    loss = o.MultiTaskLoss(2)
    targets = (torch.rand(64, 2) < 0.5).float()
    logits = 4 * (2 * targets - 1)
    logits[:, 1] = 0.5 * torch.randn(64)
    optimiser = torch.optim.SGD(loss.parameters(), 1.0)
    for _ in range(60):
        optimiser.zero_grad()
        loss(logits, targets).backward()
        optimiser.step()
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(0)
    # Where the derivative −e^(−s)·BCE/C + ½ is 0.
    torch.testing.assert_close(loss.log_variances.data, each.log(), rtol=1e-3, atol=1e-3)


def test_ldam_is_a_function_of_the_share_of_training_alone():
    loss = o.SigmoidLDAMLoss([100, 3], deferred=0.25)
    logits, targets = torch.tensor([[0.3, -1.0]]), torch.tensor([[1.0, 0.0]])
    shares = [0.0, 0.5, 0.75, 1.0]

    def values(order):
        found = {}
        for share in order:
            loss.progress(share)
            found[share] = loss(logits, targets).item()
        return found

    forward = values(shares)
    assert forward == values(shares[::-1])
    assert forward[0.0] == forward[0.5] != forward[0.75] == forward[1.0]


def test_ldam_without_deferred_share_is_never_weighted():
    loss = o.SigmoidLDAMLoss([100, 3], deferred=0.0)
    loss.progress(1.0)
    assert not loss.weighted


def test_logit_adjustment_lowers_rare_logits_so_that_training_raises_them():
    loss = o.SigmoidLogitAdjustedLoss([10], [990], reduction="none")
    positive, negative = loss(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]])).flatten()
    assert positive.item() == pytest.approx(-np.log(0.01))
    assert negative.item() == pytest.approx(-np.log(0.99))


def test_negative_tolerance_is_bce_at_half_prevalence_without_scale_nor_weight(logits, targets):
    targets[:, 0] = 1  # so that no image lacks positives
    loss = o.DistributionBalancedLoss([8] * 5, 16, alpha=0.0, beta=1e-12, scale=1.0)
    expected = 0.5 * F.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(loss(logits, targets), expected)
