"""DeLong's test against its definition by placements, and against resampling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from rarelens.measures.delong import delong, delong_p


def by_definition(labels, scores):
    """DeLong et al. 1988: the kernel of every (positive, negative) pair, O(m n)."""
    placed = []
    for own in scores:
        gap = own[labels == 1][:, None] - own[labels == 0][None, :]
        placed.append((gap > 0) + 0.5 * (gap == 0))
    placed = np.array(placed)
    positives, negatives = placed.mean(axis=2), placed.mean(axis=1)
    count = [side.shape[1] for side in (positives, negatives)]
    spread = sum(
        (side - side.mean(axis=1, keepdims=True))
        @ (side - side.mean(axis=1, keepdims=True)).T
        / (n - 1)
        / n
        for side, n in zip((positives, negatives), count, strict=True)
    )
    return placed.mean(axis=(1, 2)), spread


@pytest.fixture
def models():
    rng = np.random.default_rng(0)
    labels = (rng.random(90) < 0.3).astype(float)
    first = rng.normal(labels, 1)
    return labels, first, np.round(first + rng.normal(0, 0.8, 90), 1)


def test_equal_to_the_definition_over_all_pairs_with_ties(models):
    labels, first, second = models
    found = delong(labels, [first, second])
    auroc, covariance = by_definition(labels, np.stack([first, second]))
    np.testing.assert_allclose(found.auroc, auroc, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9)
    assert found.auroc[1] == pytest.approx(roc_auc_score(labels, second))


def test_p_is_that_of_the_normal_deviate(models):
    labels, first, second = models
    auroc, covariance = by_definition(labels, np.stack([first, second]))
    deviate = (auroc[0] - auroc[1]) / np.sqrt(
        covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    )
    assert delong_p(labels, first, second) == pytest.approx(2 * norm.sf(abs(deviate)))


def test_p_ignores_uncertain_labels(models):
    labels, first, second = models
    unsure = np.concatenate([labels, [np.nan, np.nan]])
    more = [np.concatenate([own, [9.0, -9.0]]) for own in (first, second)]
    assert delong_p(unsure, *more) == pytest.approx(delong_p(labels, first, second))


def test_the_same_order_of_scores_has_p_1(models):
    labels, first, _ = models
    assert delong_p(labels, first, np.exp(first)) == 1


def test_one_sign_is_undefined():
    assert np.isnan(delong_p([1, 1, 1, 1], [1, 2, 3, 4], [4, 3, 2, 1]))
    assert np.isnan(delong([1, 0, 0, 0], [1, 2, 3, 4]).covariance).all()


def test_p_is_uniform_where_two_models_are_equally_good():
    rng = np.random.default_rng(5)
    labels = np.repeat([1.0, 0.0], [40, 60])
    p = [delong_p(labels, *(rng.normal(labels[None], 1, (2, 100)))) for _ in range(400)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.045)
