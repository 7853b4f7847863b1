"""Every classification objective against its formula in NumPy, label by label, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from rarelens.components import objectives as o

N_POSITIVE = [400, 30, 0, 77]
N_NEGATIVE = [600, 900, 1000, 923]
ONE_OR_MORE = [400, 30, 1, 77]
IMAGES = 1000


def minus_log(z: float) -> float:
    """−log σ(z)."""
    return float(np.logaddexp(0, -z))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


def cross_entropy(z: float, y: float) -> float:
    return minus_log(z) if y == 1 else minus_log(-z)


def focal(z: float, y: float, gamma: float) -> float:
    return sigmoid(-z if y == 1 else z) ** gamma * cross_entropy(z, y)


def effective(n: int, beta: float) -> float:
    return (1 - beta**n) / (1 - beta)


@pytest.fixture(params=[3.0, 30.0, 1e4], ids=["usual", "large", "extreme"])
def z(request) -> np.ndarray:
    logits = np.random.default_rng(0).standard_normal((14, 4)) * request.param
    if request.param == 1e4:
        logits = np.sign(logits) * 1e4
    return logits


@pytest.fixture
def y() -> np.ndarray:
    labels = (np.random.default_rng(1).random((14, 4)) < [0.6, 0.4, 0.3, 0.4]).astype(float)
    labels[0] = 0
    labels[1] = 1
    labels[[2, 3, 5], [0, 2, 1]] = np.nan
    return labels


def labels_of(z: np.ndarray, y: np.ndarray) -> Iterator[tuple[int, int, float, float]]:
    for i, c in np.ndindex(*z.shape):
        if not np.isnan(y[i, c]):
            yield i, c, z[i, c], y[i, c]


def check(loss: torch.nn.Module, z: np.ndarray, y: np.ndarray, expected) -> None:
    """Compare with ``expected(image, class, logit, label)`` for each label that counts."""
    loss.reduction = "none"
    actual = loss(torch.from_numpy(z), torch.from_numpy(y)).detach().numpy()
    wanted = np.zeros_like(z)
    for i, c, logit, label in labels_of(z, y):
        wanted[i, c] = expected(i, c, logit, label)
    np.testing.assert_allclose(actual, wanted, rtol=1e-6, atol=1e-100)
    loss.reduction = "mean"
    mean = loss(torch.from_numpy(z), torch.from_numpy(y)).item()
    np.testing.assert_allclose(mean, wanted.sum() / (~np.isnan(y)).sum(), rtol=1e-6)


def test_bce(z, y):
    check(o.BinaryCrossEntropyLoss(), z, y, lambda i, c, z, y: cross_entropy(z, y))


def test_weighted_bce_from_the_dataset(z, y):
    def expected(i, c, z, y):
        return (N_NEGATIVE[c] / ONE_OR_MORE[c] if y else 1) * cross_entropy(z, y)

    check(o.WeightedBCELoss(N_POSITIVE, N_NEGATIVE), z, y, expected)


def test_weighted_bce_from_the_batch_falls_back_on_the_smallest_ratio_of_the_dataset(z, y):
    y[:, 3] = 1
    y[5, 3] = np.nan

    def expected(i, c, z, label):
        n_positive, n_negative = (y[:, c] == 1).sum(), (y[:, c] == 0).sum()
        one_sign = n_positive == 0 or n_negative == 0
        ratio = 600 / 400 if one_sign else n_negative / n_positive
        assert one_sign == (c == 3)
        return (ratio if label else 1) * cross_entropy(z, label)

    check(o.WeightedBCELoss(N_POSITIVE, N_NEGATIVE, source="batch"), z, y, expected)


def test_inter_class_weighted_bce(z, y):
    roots = [n**-0.5 for n in ONE_OR_MORE]
    loss = o.InterClassWeightedBCELoss(N_POSITIVE)
    assert loss.weights.sum().item() == pytest.approx(4)
    assert loss.weights.argmax() == 2
    check(loss, z, y, lambda i, c, z, y: 4 * roots[c] / sum(roots) * cross_entropy(z, y))


def test_inter_class_weighted_bce_as_the_code_of_its_paper(z, y):
    scale = [math.sqrt(n / (max(ONE_OR_MORE) + sum(ONE_OR_MORE))) for n in ONE_OR_MORE]
    loss = o.InterClassWeightedBCELoss(N_POSITIVE, paper_code=True)
    assert loss.weights.sum().item() == pytest.approx(1)
    assert loss.weights.argmin() == 2
    check(loss, z, y, lambda i, c, z, y: scale[c] / sum(scale) * cross_entropy(z, y))


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.7, 0.5), (1.0, 3.0)])
def test_sigmoid_focal(z, y, alpha, gamma):
    def expected(i, c, z, y):
        return (alpha if y else 1 - alpha) * focal(z, y, gamma)

    check(o.SigmoidFocalLoss(alpha, gamma), z, y, expected)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.9999])
def test_class_balanced_focal(z, y, beta):
    def expected(i, c, z, y):
        rare, frequent = effective(ONE_OR_MORE[c], beta), effective(N_NEGATIVE[c], beta)
        alpha = frequent / (rare + frequent)
        return (alpha if y else 1 - alpha) * focal(z, y, 2)

    check(o.ClassBalancedFocalLoss(N_POSITIVE, N_NEGATIVE, beta), z, y, expected)


@pytest.mark.parametrize(
    ("plus", "minus", "clip"), [(1.0, 4.0, 0.05), (0.0, 4.0, 0.2), (0.5, 0.5, 0.05), (2.0, 1.0, 0)]
)
def test_asymmetric(z, y, plus, minus, clip):
    def expected(i, c, z, y):
        if y:
            return focal(z, 1, plus)
        if clip == 0:
            return focal(z, 0, minus)
        p = max(sigmoid(z) - clip, 0)
        return p**minus * -math.log1p(-p)

    check(o.AsymmetricMultiLabelLoss(plus, minus, clip), z, y, expected)


def test_multi_task(z, y):
    s = [0.5, -1.0, 0.0, 2.0]
    loss = o.MultiTaskLoss(4).double()
    with torch.no_grad():
        loss.log_variances.copy_(torch.tensor(s))
    terms = [math.exp(-s[c]) * cross_entropy(z, y) for _, c, z, y in labels_of(z, y)]
    actual = loss(torch.from_numpy(z), torch.from_numpy(y)).item()
    np.testing.assert_allclose(actual, np.mean(terms) + sum(s) / 2, rtol=1e-6)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_sigmoid_logit_adjusted(z, y, tau):
    def expected(i, c, z, y):
        prior = ONE_OR_MORE[c] / (ONE_OR_MORE[c] + N_NEGATIVE[c])
        return cross_entropy(z + tau * math.log(prior / (1 - prior)), y)

    check(o.SigmoidLogitAdjustedLoss(N_POSITIVE, N_NEGATIVE, tau), z, y, expected)


@pytest.mark.parametrize("share", [0.0, 0.79, 0.8, 0.99])
def test_sigmoid_ldam_with_deferred_weights(z, y, share):
    inverse = [1 / effective(n, 0.999) for n in ONE_OR_MORE]

    def expected(i, c, z, y):
        margin = 0.5 * ONE_OR_MORE[c] ** -0.25  # the rarest class has one image
        weight = 4 * inverse[c] / sum(inverse) if share >= 0.8 else 1
        return weight * cross_entropy(z - margin * y, y)

    loss = o.SigmoidLDAMLoss(N_POSITIVE, beta=0.999)
    loss.progress(share)
    check(loss, z, y, expected)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("paper_code", [False, True])
def test_distribution_balanced(z, y, gamma, paper_code):
    alpha, beta, mu, scale, bias = 0.1, 10, 0.3, 5.0, 0.05

    def expected(i, c, z, label):
        drawn = sum(1 / ONE_OR_MORE[k] for k in range(4) if y[i, k] == 1)
        ratio = sigmoid(beta * (1 / ONE_OR_MORE[c] / drawn - mu)) if drawn else 1.0
        prevalence = ONE_OR_MORE[c] / IMAGES
        nu = bias * math.log(1 / prevalence - 1) / (scale if paper_code else 1)
        steepness = 1 if label else scale
        doubled = 2 if paper_code and gamma else 1
        value = focal(steepness * (z - nu), label, gamma) / steepness
        return doubled * (alpha + ratio) * value

    loss = o.DistributionBalancedLoss(
        N_POSITIVE, IMAGES, mu=mu, scale=scale, gamma=gamma, paper_code=paper_code
    )
    check(loss, z, y, expected)


def test_the_weights_of_a_worked_example_of_the_distribution_balanced_loss():
    """n = (10, 40): both present, r = 1/n over 1/10 + 1/40 = 0.8 and 0.2; the rare one alone, 1."""
    loss = o.DistributionBalancedLoss([10, 40], 100, mu=0.2, scale=1.0, bias=0.0, reduction="none")
    logits = torch.zeros(3, 2, dtype=torch.float64)
    values = loss(logits, torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])) / math.log(2)
    expected = [
        [0.1 + sigmoid(6), 0.1 + 0.5],
        [0.1 + sigmoid(8), 0.1 + sigmoid(10 * (0.25 - 0.2))],
        [1.1, 1.1],
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-12)
