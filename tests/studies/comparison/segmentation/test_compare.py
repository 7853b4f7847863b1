"""Comparison of methods with the baseline, from analyses written by hand."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from rarelens.errors import RarelensError
from rarelens.measures.statistics import crossed_difference
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.metrics import read_metrics, write_metrics
from rarelens.studies.comparison.segmentation.compare import compare
from rarelens.studies.settings.results import Compare

SETTINGS = Compare(bootstrap=200, confidence=0.95, equivalence=0.02, least_positives=1, seed=1)
SUBJECTS = [f"patient_{number}" for number in range(8)]
GAINS = np.random.default_rng(3).normal(0.1, 0.02, (3, 8))


def cell(method, seed=0, fraction="0.5"):
    return Cell("segmentation", "brain", "unet", method, fraction, seed)


def select(table, measure, method, rule="all"):
    rows = table[
        (table["measure"] == measure) & (table["method"] == method) & (table["rule"] == rule)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def compared(cells, analyses):
    return compare(cells, analyses, "base", SETTINGS)[0]


@pytest.fixture(scope="module")
def study(tmp_path_factory, write):
    """Baseline, a method that gains about .1 on every subject, and one equal to the baseline."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    cells = []
    for seed in (0, 1, 2):
        base = dict(zip(SUBJECTS, rng.uniform(0.2, 0.6, 8), strict=True))
        gains = dict(zip(SUBJECTS, GAINS[seed], strict=True))
        better = {case: value + gains[case] for case, value in reversed(base.items())}
        for method, dice in (("base", base), ("better", better), ("same", base)):
            write(folder, cell(method, seed), dice)
            cells.append(cell(method, seed))
    return folder, tuple(cells)


@pytest.fixture(scope="module")
def table(study):
    """Its comparison; do not change it."""
    analyses, cells = study
    return compared(cells, analyses)


def test_pairs_by_subject_though_the_cells_list_them_in_another_order(table):
    row = select(table, "dice", "better")
    found = row[["baseline_difference", "difference_low", "difference_high", "p"]].tolist()
    assert found == pytest.approx(crossed_difference(GAINS)[:4])
    assert (row["wins"], row["ties"], row["losses"], row["subjects"]) == (8, 0, 0, 8)


def test_p_is_corrected_over_all_claims_of_the_page(study, tmp_path):
    """Dice, sensitivity and shift of two methods, in two fractions, and the baseline's shift."""
    analyses, cells = study
    both = [cell(one.method, one.seed, fraction) for fraction in ("0.5", "1") for one in cells]
    for one in both:
        source = cell(one.method, one.seed).folder(str(analyses))
        shutil.copytree(source, one.folder(str(tmp_path)))
    table = compared(both, tmp_path)
    better, same = (
        select(table[table["fraction"] == "1"], "dice", method) for method in ("better", "same")
    )
    claims = table[table["claim"]]
    assert set(claims["measure"]) == {"dice", "sensitivity", "shift_mean"}
    # The baseline's shift is the same in each seed and subject here: no p, and so no claim.
    assert len(claims) == 12
    assert better["p_holm"] == pytest.approx(12 * better["p"])
    assert (same["p"], same["p_holm"], same["ties"]) == (1, 1, 8)
    assert table.loc[~table["claim"], "p_holm"].isna().all()
    assert select(table[table["fraction"] == "1"], "hd95", "better")["p"] < 0.05
    empty = ["p", "p_holm", "baseline_difference"]
    assert np.isnan(select(table[table["fraction"] == "1"], "dice", "base")[empty].tolist()).all()


def test_smaller_is_better_where_the_measure_is_a_distance(table):
    row = select(table, "hd95", "better")
    assert row["baseline_difference"] == pytest.approx(-10 * GAINS.mean())
    assert (row["wins"], row["losses"]) == (8, 0)


def test_a_subject_without_its_pair_stays_out_of_the_difference(tmp_path, write):
    write(tmp_path, cell("base"), {"a": 0.5, "b": 0.5})
    write(tmp_path, cell("other"), {"b": 0.7, "c": 0.0})
    table = compared([cell("base"), cell("other")], tmp_path)
    row = select(table, "dice", "other")
    assert row["mean"] == pytest.approx(0.35)
    assert row["baseline_difference"] == pytest.approx(0.2)
    assert (row["wins"], row["ties"], row["losses"]) == (1, 0, 0)
    assert select(table, "missed", "other")["mean"] == 0.5


def test_shift_is_each_test_subjects_distance_from_the_mean_training_subject(tmp_path, write):
    write(tmp_path, cell("base"), {"a": 0.5, "b": 0.5}, {"a": -1.0, "b": 0.0}, {"t": 2.0, "u": 4.0})
    write(tmp_path, cell("other"), {"a": 0.5, "b": 0.5}, {"b": 2.0, "a": 2.0}, {"t": 3.0, "u": 3.0})
    table = compared([cell("base"), cell("other")], tmp_path)
    base, other = (select(table, "shift_mean", method) for method in ("base", "other"))
    assert base["mean"] == pytest.approx(-3.5)
    assert other["mean"] == pytest.approx(-1.0)
    assert other["baseline_difference"] == pytest.approx(2.5)
    assert select(table, "margin_train", "base")["mean"] == pytest.approx(3.0)


def test_pooled_measures_have_a_difference_and_no_test(table):
    row = select(table, "ece_test", "better")
    assert (row["mean"], row["baseline_difference"], row["subjects"]) == (0.03, 0, 0)
    assert np.isnan(row[["p", "ci_low", "difference_low"]].tolist()).all()


def test_fewer_than_three_seeds_do_not_suffice(study, table):
    analyses, cells = study
    assert table.loc[table["mean"].notna(), "sufficient_seeds"].all()
    two = compared([cell for cell in cells if cell.seed < 2], analyses)
    assert not two["sufficient_seeds"].any()
    assert two["p"].isna().all()
    assert not two["claim"].any()


def written(table, folder):
    write_metrics(folder, "segmentation", table)
    return tuple((folder / f"segmentation.{kind}").read_bytes() for kind in ("json", "csv"))


def test_bytes_do_not_depend_on_the_order_of_cells(study, table, tmp_path):
    analyses, cells = study
    forth = written(table, tmp_path)
    back = written(compared(cells[::-1], analyses), tmp_path)
    assert forth == back


def test_folders_of_cells_outside_the_study_are_not_counted(study, tmp_path):
    analyses, cells = study
    fewer = [cell for cell in cells if cell.method != "same" and cell.seed < 2]
    before = written(compared(fewer, analyses), tmp_path)
    for kept in fewer:
        shutil.copytree(kept.folder(str(analyses)), kept.folder(str(tmp_path / "fewer")))
    assert before == written(compared(fewer, tmp_path / "fewer"), tmp_path)


def test_metrics_hold_numbers_only_and_no_case(table, tmp_path):
    table = table.copy()
    table.loc[(table["measure"] == "hd95") & (table["method"] == "same"), "mean"] = np.nan
    tree, text = written(table, tmp_path)
    node = json.loads(tree)["brain"]["unet"]["0.5"]
    expected = float(f"{select(table, 'dice', 'better')['mean']:.6g}")
    assert node["better"]["lesion"]["dice"] == expected
    assert "hd95" not in node["same"]["lesion"]
    assert b"patient" not in tree + text


def test_the_summary_is_a_method_s_mean_over_rare_classes_alone(study, table, tmp_path):
    _, cells = study
    second = table[(table["class"] == "lesion") & (table["rule"] == "all")]
    other = second.assign(**{"class": "edema", "mean": second["mean"] - 0.1})
    common = second.assign(**{"class": "organ", "mean": 9.0, "rare": False})
    written(pd.concat([table, other, common]), tmp_path)
    summary = json.loads((tmp_path / "segmentation_summary.json").read_text())
    own = summary["brain"]["unet"]["0.5"]
    assert set(own) == {cell.method for cell in cells}
    for measure in ("dice", "sensitivity", "shift_mean"):
        expected = select(table, measure, "better")["mean"] - 0.05
        assert own["better"][measure] == pytest.approx(expected, abs=1e-5)
    assert all(set(numbers) == {"dice", "sensitivity", "shift_mean"} for numbers in own.values())


def test_metrics_are_read_as_they_were_written(table, tmp_path):
    written(table, tmp_path)
    back = read_metrics(tmp_path / "segmentation.csv")
    row = select(back, "dice", "better")
    assert (row["fraction"], row["seeds"], row["sufficient_seeds"]) == ("0.5", 3, True)
    assert row["baseline_difference"] == pytest.approx(GAINS.mean(), rel=1e-5)


def test_every_missing_folder_is_named(study):
    analyses, cells = study
    absent = [cell("base", 8), cell("better", 9)]
    with pytest.raises(RarelensError) as raised:
        compare([*cells, *absent], analyses, "base", SETTINGS)
    assert len(raised.value.problems) == 2
    for gone in absent:
        assert str(gone.folder(str(analyses))) in str(raised.value)


def test_baseline_outside_the_study_is_refused(study):
    analyses, cells = study
    with pytest.raises(RarelensError, match="'focal' is not among"):
        compare(cells, analyses, "focal", SETTINGS)
