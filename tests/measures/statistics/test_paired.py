"""Paired statistics: identities, hand-computed cases, and scipy and statsmodels directly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests

from rarelens.measures.statistics.paired import (
    hierarchical_bootstrap,
    holm,
    mean_over_seeds,
    record,
    signed_rank,
    subject_means,
)

NAN = float("nan")


def bootstrap(values, draws=2000, confidence=0.95, seed=0):
    return hierarchical_bootstrap(np.asarray(values, dtype=float), draws, confidence, seed)


def test_constant_difference_gives_an_interval_of_no_width():
    values = np.full((3, 12), 0.1)
    values[1, 4] = NAN
    interval = bootstrap(values)
    assert interval == pytest.approx((0.1, 0.1, 0.1), abs=1e-15)
    assert interval.low == interval.high


def test_interval_shrinks_when_subjects_and_seeds_agree():
    noise = np.random.default_rng(1).normal(size=(3, 30))
    wide, narrow = bootstrap(1 + noise), bootstrap(1 + 0.1 * noise)
    ratio = (wide.high - wide.low) / (narrow.high - narrow.low)
    assert ratio == pytest.approx(10, rel=1e-6)
    assert narrow.low < narrow.mean < narrow.high


def test_disagreement_between_seeds_widens_the_interval():
    subjects = np.random.default_rng(2).normal(0, 0.1, size=(1, 40))
    agreeing = np.repeat(subjects, 3, axis=0)
    disagreeing = agreeing + np.array([[-1.0], [0.0], [1.0]])
    same, other = bootstrap(agreeing), bootstrap(disagreeing)
    assert other.high - other.low > 5 * (same.high - same.low)
    assert other.mean == pytest.approx(same.mean)


def test_interval_of_one_seed_is_the_subject_bootstrap():
    values = np.random.default_rng(3).normal(size=(1, 200))
    interval = bootstrap(values, draws=4000)
    standard_error = values.std() / np.sqrt(200)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * standard_error, rel=0.06)


def test_repeated_seeds_do_not_narrow_the_interval_over_the_same_subjects():
    values = np.random.default_rng(4).normal(size=(1, 50))
    once, thrice = bootstrap(values, 4000), bootstrap(np.repeat(values, 3, axis=0), 4000)
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.06)


def test_bootstrap_is_deterministic_and_follows_its_seed():
    values = np.random.default_rng(5).normal(size=(2, 9))
    assert bootstrap(values, seed=7) == bootstrap(values, seed=7)
    assert bootstrap(values, seed=7) != bootstrap(values, seed=8)


def test_no_value_gives_no_interval():
    assert np.isnan(bootstrap([[NAN, NAN]])).all()


def test_seeds_weigh_the_same_however_many_subjects_they_have():
    values = np.array([[1.0, 1.0, 1.0, 1.0], [3.0, NAN, NAN, NAN]])
    assert mean_over_seeds(values) == 2
    assert subject_means(values).tolist() == [2, 1, 1, 1]


@pytest.mark.parametrize("size", [6, 25, 80])
def test_signed_rank_is_scipys(size):
    differences = np.random.default_rng(size).normal(0.3, 1, size)
    with_gap = np.append(differences, NAN)
    assert signed_rank(with_gap) == wilcoxon(differences).pvalue


def test_signed_rank_by_hand():
    # All five positive: 2 of the 2^5 sign patterns are as extreme.
    assert signed_rank(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 32)


def test_signed_rank_of_equal_methods_is_one():
    assert signed_rank(np.zeros(8)) == 1
    assert np.isnan(signed_rank(np.full(3, NAN)))


@pytest.mark.parametrize(
    "p",
    [
        [0.01, NAN, 0.04, 0.03, 0.005],
        [0.6, 0.5, 0.5, 1.0],
        [NAN, 0.02, 0.02, 0.001, 0.02, 0.9],
    ],
)
def test_holm_is_statsmodels_and_skips_the_unknown(p):
    p = np.array(p)
    known = np.isfinite(p)
    assert holm(p)[known] == pytest.approx(multipletests(p[known], method="holm")[1])
    assert np.isnan(holm(p)[~known]).all()


def test_holm_without_any_test_is_empty():
    assert np.isnan(holm(np.array([NAN, NAN]))).all()
    assert holm(np.array([])).size == 0


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])


def test_record_counts_wins_ties_and_losses():
    assert record(np.array([0.2, 0.0, 1e-12, -0.1, NAN, 0.3])) == (2, 2, 1)
