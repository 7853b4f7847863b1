"""Values of lesions: means of a case, then of patients; quartiles of the truth's volumes."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.measures.statistics import crossed_difference
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.segmentation.compare import compare
from rarelens.studies.settings.results import Compare

SETTINGS = Compare(bootstrap=200, confidence=0.95, equivalence=0.02, least_positives=1, seed=1)
VOLUMES = {"a": [10.0, 20.0, 30.0], "b": [40.0, 50.0], "c": [60.0, 70.0, 80.0]}


def cell(method, seed=0):
    return Cell("segmentation", "heart", "unet", method, "1", seed)


def lesions(iou):
    """Lesions of ``VOLUMES``, of that IoU each, and of a margin of 10·IoU − 1."""
    cases = [(case, volume) for case, volumes in VOLUMES.items() for volume in volumes]
    return [(*one, value, 10 * value - 1) for one, value in zip(cases, iou, strict=True)]


@pytest.fixture
def table(tmp_path, write):
    """Case d has no lesion; e, neither lesions nor predictions."""
    found = {"base": [0, 0.2, 0, 0.6, 0, 0.6, 0.7, 0.9], "other": [0.2] * 5 + [0.8] * 3}
    cells = []
    for method, iou in found.items():
        for seed in range(3):
            hits = [sum(value > 0 for value in iou[a:b]) for a, b in ((0, 3), (3, 5), (5, 8))]
            counts = [("a", 3, hits[0], 1), ("b", 2, hits[1], 0), ("c", 3, hits[2], 2)]
            counts += [("d", 0, 0, 4), ("e", 0, 0, 0)]
            dice = dict.fromkeys("abcde", 0.5)
            write(tmp_path, cell(method, seed), dice, lesions=lesions(iou), counts=counts)
            cells.append(cell(method, seed))
    return compare(cells, tmp_path, "base", SETTINGS)[0].set_index(["measure", "rule", "method"])


def row(table, measure, method="base"):
    return table.loc[(measure, "all", method)]


def test_by_hand(table):
    """Base finds 1 of 3, 1 of 2 and 3 of 3; by IoU above .5, 0, 1 and 3."""
    assert row(table, "lesion_detected")["mean"] == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert row(table, "lesion_detected_iou")["mean"] == pytest.approx((0 + 1 / 2 + 1) / 3)
    expected = [2 * 1 / (1 + 3 + 1), 2 * 1 / (1 + 2 + 0), 2 * 3 / (3 + 3 + 2)]
    assert row(table, "lesion_f1")["mean"] == pytest.approx(np.mean(expected))
    assert row(table, "lesion_detected")["subjects"] == row(table, "lesion_f1")["subjects"] == 3
    other = row(table, "lesion_detected", "other")
    assert other["baseline_difference"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert (other["wins"], other["ties"], other["losses"]) == (2, 1, 0)
    expected = crossed_difference(np.tile([2 / 3, 1 / 2, 0], (3, 1)))
    assert other["difference_low"] == pytest.approx(expected.low)
    assert other["p"] == pytest.approx(expected.p)


def test_cases_without_lesions_count_for_false_alarms_alone(table):
    found = row(table, "false_alarms")
    assert found["mean"] == pytest.approx((1 + 0 + 2 + 4 + 0) / 5)
    assert found["subjects"] == 5


def test_quartiles_are_of_the_true_volumes_and_means_of_patients(table):
    """Of volumes 10, 20, …, 80 the quartiles are two each: 10 and 20; 30 and 40; and so on."""
    assert row(table, "lesion_detected_q1")["mean"] == pytest.approx(1 / 2)
    assert row(table, "lesion_detected_q2")["mean"] == pytest.approx((0 + 1) / 2)
    assert row(table, "lesion_detected_q3")["mean"] == pytest.approx((0 + 1) / 2)
    assert row(table, "lesion_detected_q4")["mean"] == 1
    assert row(table, "lesion_margin_q2")["mean"] == pytest.approx((-1 + 5) / 2)
    assert row(table, "lesion_dice_q4")["mean"] == pytest.approx((1.4 / 1.7 + 1.8 / 1.9) / 2)
    patients = [row(table, f"lesion_margin_q{number}")["subjects"] for number in (1, 2, 3, 4)]
    assert patients == [1, 2, 2, 1]
    # The other method sees the same quartiles, whatever it finds.
    assert row(table, "lesion_detected_q1", "other")["baseline_difference"] == pytest.approx(1 / 2)


def test_a_class_without_lesions_has_no_values(tmp_path, write):
    write(tmp_path, cell("base"), {"a": 0.5}, counts=[("a", 0, 0, 1)])
    table, _ = compare([cell("base")], tmp_path, "base", SETTINGS)
    found = table[table["measure"].str.contains("lesion|false_alarms")]
    assert found["measure"].tolist() == ["false_alarms"]
