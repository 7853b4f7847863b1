"""The linear probe on features whose classes are, or are not, linear in them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from rarelens.measures.linear_probe import linear_probe


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(0, [1, 50, 0.01, 1], (300, 4))
    y = np.column_stack([x[:, 2] > 0.008, rng.random(300) < 0.3, np.zeros(300)]).astype(float)
    return x, y


def test_finds_what_is_linear_in_the_features_whatever_their_scale(data):
    x, y = data
    found = linear_probe(x[:200], y[:200], x[200:], y[200:], 1.0)
    assert found.auroc[0] > 0.97
    assert found.auroc[1] == pytest.approx(0.5, abs=0.15)


def test_equal_to_scikit_learns_pipeline(data):
    x, y = data
    scaler = StandardScaler().fit(x[:200])
    model = LogisticRegression(C=0.25, tol=1e-10, max_iter=1000)
    model.fit(scaler.transform(x[:200]), y[:200, 0])
    scores = model.decision_function(scaler.transform(x[200:]))
    found = linear_probe(x[:200], y[:200], x[200:], y[200:], 0.25)
    assert found.auroc[0] == pytest.approx(roc_auc_score(y[200:, 0], scores))
    assert found.average_precision[0] == pytest.approx(average_precision_score(y[200:, 0], scores))


def test_one_sign_is_undefined_and_nothing_warns(data):
    x, y = data
    x = np.column_stack([x, np.ones(300)])
    y[::7, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = linear_probe(x[:200], y[:200], x[200:], y[200:], 1e3)
    assert np.isnan([found.auroc[2], found.average_precision[2]]).all()
    assert np.isfinite(found.auroc[:2]).all()
