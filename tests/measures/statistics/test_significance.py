"""Tests and their correction: by hand, and scipy and statsmodels directly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests

from rarelens.measures.statistics import holm, record, signed_rank

NAN = float("nan")


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
