"""The correction of many tests: by hand, and statsmodels directly."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from rarelens.measures.statistics import holm, record

NAN = float("nan")


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
