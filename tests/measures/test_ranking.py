"""AUROC and average precision of many weightings against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from rarelens.measures.ranking import ranking


@pytest.mark.parametrize("decimals", [8, 1, 0])
def test_equal_to_scikit_learn_with_and_without_ties(decimals):
    rng = np.random.default_rng(decimals)
    labels = (rng.random(80) < 0.2).astype(float)
    scores = np.round(rng.normal(labels, 1), decimals)
    weights = np.vstack([np.ones(80), rng.multinomial(80, np.full(80, 1 / 80), size=20)])
    found = ranking(labels, scores, weights)
    for draw, own in enumerate(weights):
        auroc = roc_auc_score(labels, scores, sample_weight=own)
        precision = average_precision_score(labels, scores, sample_weight=own)
        assert found.auroc[draw] == pytest.approx(auroc, abs=1e-12)
        assert found.average_precision[draw] == pytest.approx(precision, abs=1e-12)


def test_a_draw_of_one_sign_is_undefined_and_the_others_are_not():
    found = ranking([1, 0, 0], [0.3, 0.1, 0.2], [[1, 1, 1], [0, 2, 1], [3, 0, 0]])
    assert found.auroc[0] == found.average_precision[0] == 1
    assert np.isnan(found.auroc[1:]).all()
    assert np.isnan(found.average_precision[1:]).all()


def test_no_image_at_all_is_undefined():
    found = ranking([], [], np.ones((2, 0)))
    assert np.isnan(found.auroc).all()
    assert found.auroc.shape == (2,)
