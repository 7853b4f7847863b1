from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarelens.measures.calibration import SLOPES, calibration_errors, fit_correction

COLUMNS = ["case", "side", "class", "bin", "count", "sum_confidence", "sum_positive"]


def test_error_by_hand_pools_cases_before_taking_the_gap() -> None:
    counts = pd.DataFrame(
        [
            # Bin 0 over both cases: confidence 2, positives 1: gap 1. Bin 3: gap |8 − 6| = 2.
            ("a", "test", 1, 0, 10, 1.0, 1.0),
            ("b", "test", 1, 0, 10, 1.0, 0.0),
            ("a", "test", 1, 3, 10, 8.0, 6.0),
            ("a", "train", 1, 3, 4, 3.5, 4.0),
        ],
        columns=COLUMNS,
    )
    found = calibration_errors(counts)
    assert found[["side", "class"]].to_numpy().tolist() == [["test", 1], ["train", 1]]
    assert found["ece"].tolist() == pytest.approx([3 / 30, 0.5 / 4])


def simulate(slope, bias, seed, n=20000):
    """Labels whose true log-odds are ``slope`` · logit + ``bias``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    return (rng.random(n) < 1 / (1 + np.exp(-slope * logits - bias))).astype(float), logits


def test_finds_the_slope_and_bias_that_made_the_labels():
    labels, logits = zip(simulate(0.4, -1.0, 0), simulate(2.0, 0.5, 1), strict=True)
    found = fit_correction(np.array(labels).T, np.array(logits).T)
    np.testing.assert_allclose(found.slope, [0.4, 2.0], rtol=0.06)
    np.testing.assert_allclose(found.bias, [-1.0, 0.5], atol=0.07)
    np.testing.assert_allclose(found([[1.0, 2.0]]), [found.slope * [1, 2] + found.bias])


def test_agrees_with_logistic_regression_on_the_smoothed_targets():
    from sklearn.linear_model import LogisticRegression

    labels, logits = simulate(0.8, -0.5, 3, n=60)
    positives = labels.sum()
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (60 - positives + 2))
    weights = np.concatenate([target, 1 - target])
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        np.tile(logits, 2)[:, None], np.repeat([1, 0], 60), sample_weight=weights
    )
    found = fit_correction(labels[:, None], logits[:, None])
    assert found.slope[0] == pytest.approx(reference.coef_[0, 0], rel=1e-3)
    assert found.bias[0] == pytest.approx(reference.intercept_[0], abs=1e-3)


def test_perfectly_separated_classes_have_a_finite_optimum():
    labels = np.repeat([0.0, 1.0], 20)[:, None]
    found = fit_correction(labels, np.linspace(-2, 2, 40)[:, None])
    assert 0 < found.slope[0] < SLOPES[1]


def test_scores_in_the_wrong_order_never_flip():
    labels, logits = simulate(-1.0, 0.0, 4)
    assert fit_correction(labels[:, None], logits[:, None]).slope[0] == SLOPES[0]


def test_a_class_of_one_sign_takes_the_temperature_of_the_others():
    labels, logits = simulate(0.5, 0.0, 5)
    both = np.column_stack([labels, np.zeros_like(labels)])
    found = fit_correction(both, np.column_stack([logits, logits]))
    assert found.slope[1] == pytest.approx(0.5, rel=0.06)
    assert found.bias[1] == 0
    alone = fit_correction(both[:, 1:], logits[:, None])
    assert (alone.slope[0], alone.bias[0]) == (1, 0)


def test_uncertain_labels_play_no_part():
    labels, logits = simulate(0.7, 0.2, 6, n=500)
    unsure = np.concatenate([labels, np.full(50, np.nan)])[:, None]
    more = np.concatenate([logits, np.full(50, 30.0)])[:, None]
    np.testing.assert_allclose(
        fit_correction(unsure, more), fit_correction(labels[:, None], logits[:, None])
    )
