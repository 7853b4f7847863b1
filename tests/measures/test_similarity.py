"""Debiased CKA, effective rank and NC1 against their defining formulas."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.measures.similarity import debiased_linear_cka, effective_rank, nc1


def hsic_by_definition(k, m):
    """Song et al. 2012, equation 5, with explicit Gram matrices."""
    n = len(k)
    k, m = (gram - np.diag(np.diag(gram)) for gram in (k, m))
    one = np.ones(n)
    return (
        np.trace(k @ m)
        + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ k @ m @ one)
    ) / (n * (n - 3))


def cka_by_definition(x, y):
    k, m = x @ x.T, y @ y.T
    return hsic_by_definition(k, m) / np.sqrt(hsic_by_definition(k, k) * hsic_by_definition(m, m))


def biased_cka(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return np.linalg.norm(x.T @ y) ** 2 / norms


@pytest.fixture
def related():
    rng = np.random.default_rng(0)
    x = rng.normal(3, 1, (40, 7))
    return x, x @ rng.normal(size=(7, 11)) + rng.normal(size=(40, 11))


@pytest.mark.parametrize("width", [3, 11, 90])
def test_cka_is_its_definition_whichever_side_is_wider(width):
    rng = np.random.default_rng(width)
    x = rng.normal(1, 1, (30, width))
    y = x[:, :2] @ rng.normal(size=(2, 60)) + rng.normal(size=(30, 60))
    assert debiased_linear_cka(x, y) == pytest.approx(cka_by_definition(x, y), rel=1e-9)


def test_cka_knows_neither_rotation_nor_scale_nor_mean(related):
    x, y = related
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(7, 7)))[0]
    moved = 12.5 * x @ rotation + 4
    assert debiased_linear_cka(moved, y) == pytest.approx(debiased_linear_cka(x, y), rel=1e-9)
    assert debiased_linear_cka(x, moved) == pytest.approx(1, rel=1e-9)


def test_independent_features_are_unlike_where_the_biased_estimate_calls_them_alike():
    rng = np.random.default_rng(2)
    pairs = [rng.normal(size=(2, 50, 100)) for _ in range(40)]
    debiased = [debiased_linear_cka(*pair) for pair in pairs]
    assert abs(np.mean(debiased)) < 0.01
    assert np.mean([biased_cka(*pair) for pair in pairs]) > 0.6


def test_cka_is_undefined_without_variation_or_with_three_images(related):
    x, y = related
    assert np.isnan(debiased_linear_cka(np.ones((40, 2)), y))
    assert np.isnan(debiased_linear_cka(x[:3], y[:3]))
    with pytest.raises(ValueError, match="40 images on one side and 39"):
        debiased_linear_cka(x, y[:39])


def test_effective_rank_counts_equal_directions():
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.normal(size=(20, 20)))[0][:, :3]
    centred = np.linalg.qr(np.column_stack([np.ones(60), rng.normal(size=(60, 3))]))[0][:, 1:]
    assert effective_rank(centred @ directions.T + 5) == pytest.approx(3, rel=1e-6)
    assert np.isnan(effective_rank(np.ones((5, 2))))


def test_effective_rank_is_the_entropy_of_singular_values():
    # Columns of variance 16, 4 and 4: singular values in ratio 4 : 2 : 2, shares 1/2, 1/4, 1/4.
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    assert effective_rank(signs * [4, 2, 2]) == pytest.approx(np.exp(1.5 * np.log(2)))


def nc1_by_definition(features, labels):
    groups = [features[labels == sign] for sign in (1, 0)]
    within = np.mean([np.cov(group.T, bias=True) for group in groups], axis=0)
    means = np.array([group.mean(axis=0) for group in groups])
    between = np.cov(means.T, bias=True)
    return np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / 2


def test_nc1_is_its_definition_and_ignores_uncertain_labels():
    rng = np.random.default_rng(4)
    features = rng.normal(2, 1, (30, 5))
    labels = np.zeros((30, 2))
    labels[:9, 0], labels[20:, 1] = 1, 1
    labels[25:, 0] = np.nan
    features[:9] += 1
    found = nc1(features, labels)
    assert found[0] == pytest.approx(nc1_by_definition(features[:25], labels[:25, 0]))
    assert found[1] == pytest.approx(nc1_by_definition(features, labels[:, 1]))


def test_nc1_of_a_collapsed_class_is_0_and_of_one_sign_undefined():
    features = np.repeat([[0.0, 1.0], [2.0, 5.0]], 4, axis=0)
    labels = np.column_stack([np.repeat([1, 0], 4), np.ones(8), np.full(8, np.nan)])
    found = nc1(features, labels)
    assert found[0] == pytest.approx(0)
    assert np.isnan(found[1:]).all()
