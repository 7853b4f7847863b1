"""Measures of one class against scikit-learn, and against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from rarelens.measures.calibration import equal_mass_bins, reliability, sigmoid
from rarelens.measures.clusters import Clusters
from rarelens.measures.prediction import MEASURES, OneClass, measures
from rarelens.measures.ranking import best_f1_threshold


@pytest.fixture
def one():
    rng = np.random.default_rng(0)
    labels = (rng.random(120) < 0.25).astype(float)
    logits = rng.normal(2 * labels - 1, 1)
    return OneClass(np.arange(120), labels, logits, logits / 2)


def test_the_estimate_is_scikit_learns(one):
    clusters = Clusters.draw(np.arange(120) // 3, 30, [0])
    found = measures(one, 0.2, clusters, 10)
    called = one.logits >= 0.2
    expected = {
        "auroc": metrics.roc_auc_score(one.labels, one.logits),
        "average_precision": metrics.average_precision_score(one.labels, one.logits),
        "recall": metrics.recall_score(one.labels, called),
        "precision": metrics.precision_score(one.labels, called),
        "f1": metrics.f1_score(one.labels, called),
        "brier": metrics.brier_score_loss(one.labels, sigmoid(one.logits)),
        "brier_calibrated": metrics.brier_score_loss(one.labels, sigmoid(one.logits / 2)),
    }
    assert {name: found[name][0] for name in expected} == pytest.approx(expected)
    lift = expected["average_precision"] / one.labels.mean()
    assert found["average_precision_over_prevalence"][0] == pytest.approx(lift)


def test_every_draw_is_the_measure_of_the_images_it_holds(one):
    clusters = Clusters.draw(np.arange(120) // 3, 5, [1])
    found = measures(one, 0.2, clusters, 10)
    (weights,) = clusters.by_image(one.rows)
    held = np.repeat(np.arange(120), weights[4].astype(int))
    labels, logits = one.labels[held], one.logits[held]
    assert found["auroc"][4] == pytest.approx(metrics.roc_auc_score(labels, logits))
    assert found["f1"][4] == pytest.approx(metrics.f1_score(labels, logits >= 0.2))
    lift = metrics.average_precision_score(labels, logits) / labels.mean()
    assert found["average_precision_over_prevalence"][4] == pytest.approx(lift)


def test_ece_is_the_weighted_gap_of_bins_of_equal_mass(one):
    clusters = Clusters.draw(np.arange(120), 1, [0])
    found = measures(one, 0.0, clusters, 6)["ece"][0]
    order = np.argsort(one.logits)
    gaps = [
        abs(sigmoid(one.logits[part]).mean() - one.labels[part].mean()) * len(part) / 120
        for part in np.array_split(order, 6)
    ]
    assert found == pytest.approx(sum(gaps))
    table = reliability(sigmoid(one.logits), one.labels, 6)
    assert table["count"].tolist() == [20] * 6
    by_table = (table["predicted"] - table["observed"]).abs() @ table["count"] / 120
    assert by_table == pytest.approx(found)


def test_ties_share_a_bin_whatever_their_order():
    values = np.array([0.5, 0.1, 0.5, 0.9, 0.5, 0.5])
    bins = equal_mass_bins(values, 3)
    assert len(set(bins[values == 0.5])) == 1
    np.testing.assert_array_equal(equal_mass_bins(values[::-1], 3), bins[::-1])


def test_one_sign_is_undefined_throughout():
    one = OneClass(np.arange(4), np.zeros(4), np.arange(4.0), np.arange(4.0))
    found = measures(one, 0.0, Clusters.draw(np.arange(4), 3, [0]), 5)
    assert set(found) == set(MEASURES)
    assert all(np.isnan(values).all() for values in found.values())


def test_nothing_called_positive_has_no_precision_and_an_f1_of_0(one):
    found = measures(one, 99.0, Clusters.draw(np.arange(120), 1, [0]), 5)
    assert np.isnan(found["precision"][0])
    assert (found["recall"][0], found["f1"][0]) == (0, 0)


@pytest.mark.parametrize("decimals", [6, 0])
def test_the_threshold_has_the_best_f1_of_all(one, decimals):
    scores = np.round(one.logits, decimals)
    found = best_f1_threshold(one.labels, scores)
    f1 = {own: metrics.f1_score(one.labels, scores >= own) for own in np.unique(scores)}
    assert found in f1
    assert f1[found] == pytest.approx(max(f1.values()))


def test_the_threshold_ignores_uncertain_labels_and_needs_both_signs():
    assert best_f1_threshold([1, 0, np.nan, np.nan], [1.0, 0.0, -5.0, 9.0]) == 1.0
    assert np.isnan(best_f1_threshold([1, 1, np.nan], [1.0, 0.0, 2.0]))
