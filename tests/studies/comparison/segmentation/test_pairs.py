"""Asymmetric methods against their symmetric forms, from analyses written by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from rarelens.measures.statistics import crossed_difference
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.segmentation.compare import compare
from rarelens.studies.settings.results import Compare

SETTINGS = Compare(bootstrap=500, confidence=0.95, equivalence=0.02, least_positives=1, seed=1)
METHODS = ("asymmetric_both", "asymmetric_focal", "focal", "symmetric_both", "zero")
CASES = list("abcdefgh")
RNG = np.random.default_rng(0)
FOCAL = RNG.uniform(0.2, 0.6, (4, 8))
GAINS = RNG.normal(0.1, 0.02, (4, 8))
TRAIN = RNG.normal(3, 1, (4, 5))  # Margins: each seed has training subjects of its own.


@pytest.fixture(scope="module")
def found(tmp_path_factory, write):
    folder, cells = tmp_path_factory.mktemp("analyses"), []
    for seed in range(4):
        dice = {"focal": FOCAL[seed], "zero": FOCAL[seed]}
        dice["asymmetric_focal"] = FOCAL[seed] + GAINS[seed]
        dice |= dict.fromkeys(("symmetric_both", "asymmetric_both"), dice["asymmetric_focal"])
        for method in METHODS:
            cell = Cell("segmentation", "brain", "unet", method, "0.5", seed)
            move = 0.5 if method == "asymmetric_focal" else 0.0
            train = {f"t{seed}{n}": value + move for n, value in enumerate(TRAIN[seed])}
            margins = {case: 1 + number / 10 for number, case in enumerate(CASES)}
            own = dict(zip(CASES, dice[method], strict=True))
            write(folder, cell, own, margins, train)
            cells.append(cell)
    return compare(cells, folder, "zero", SETTINGS)


def pair(table, a, b, measure):
    rows = table[(table["method_a"] == a) & (table["method_b"] == b)]
    (row,) = rows[rows["measure"] == measure].to_dict("records")
    return row


def test_every_pair_is_there_and_the_asymmetric_method_stands_second(found):
    names = found[1][["method_a", "method_b"]].drop_duplicates().to_numpy().tolist()
    symmetric, asymmetric = ("focal", "symmetric_both", "zero"), ("both", "focal")
    ordered = (*symmetric, *(f"asymmetric_{name}" for name in asymmetric))
    assert names == sorted(map(list, combinations(ordered, 2)))
    row = pair(found[1], "focal", "asymmetric_focal", "dice")
    assert row["difference"] == pytest.approx(row["value_b"] - row["value_a"])
    expected = crossed_difference(GAINS)
    assert [row[name] for name in ("difference", "low", "high", "p")] == pytest.approx(expected[:4])


def test_only_an_asymmetric_method_against_its_own_symmetric_form_is_claimed(found):
    claims = found[1][found[1]["claim"]]
    assert set(claims["method_a"] + "," + claims["method_b"]) == {
        "focal,asymmetric_focal",
        "symmetric_both,asymmetric_both",
    }
    assert set(claims["measure"]) <= {"dice", "sensitivity", "shift_mean"}
    assert pair(found[1], "focal", "asymmetric_focal", "dice")["claim"]


def test_one_family_with_the_methods_against_the_baseline(found):
    claims = pd.concat([table[table["claim"]] for table in found])
    assert len(claims) > found[1]["claim"].sum() > 0
    expected = multipletests(claims["p"], method="holm")[1]
    np.testing.assert_allclose(claims["p_holm"], expected)


def test_equal_methods_are_equivalent_and_others_are_not(found):
    assert pair(found[1], "focal", "zero", "dice")["p_equivalent"] == 0
    assert pair(found[1], "focal", "asymmetric_focal", "dice")["p_equivalent"] > 0.95
    assert np.isnan(pair(found[1], "focal", "zero", "shift_mean")["p_equivalent"])


def test_training_subjects_that_both_methods_share_cancel_in_a_difference_of_shifts(found):
    """The draws are the same for both; their own shifts have intervals, their difference none."""
    row = pair(found[1], "focal", "asymmetric_focal", "shift_mean")
    assert row["difference"] == pytest.approx(-0.5)
    own = found[0][(found[0]["measure"] == "shift_mean") & (found[0]["method"] == "focal")]
    assert (own["ci_high"] - own["ci_low"]).iloc[0] > 0.5
    assert not row["high"] - row["low"] > 1e-6


def test_an_interval_excludes_0_just_where_p_is_below_the_level(found):
    rows = found[1].dropna(subset=["p", "low"])
    assert len(rows)
    excludes = (rows["low"] > 0) | (rows["high"] < 0)
    assert (excludes == (rows["p"] < 0.05)).all()
