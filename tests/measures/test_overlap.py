from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support, recall_score

from rarelens.measures.overlap import RULES, largest_component, overlap, overlap_rows
from rarelens.measures.surface import surface_measures

SPACING = (1.0, 2.0, 3.0)
SHAPE = (6, 5, 4)
DIAGONAL = math.sqrt(6**2 + 10**2 + 12**2)


def box(*slices: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[slices] = True
    return mask


NOTHING = box(slice(0, 0))
SOME = box(slice(1, 3), slice(1, 3), slice(1, 3))


@pytest.mark.parametrize("seed", range(3))
def test_overlap_equals_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(SHAPE) < 0.3
    predicted = truth ^ (rng.random(SHAPE) < 0.2)
    found = overlap(predicted, truth, SPACING, 1.0)
    precision, recall, score, _ = precision_recall_fscore_support(
        truth.ravel(), predicted.ravel(), average="binary"
    )
    assert found.outcome == "present"
    assert found.dice == pytest.approx(score)
    assert found.sensitivity == pytest.approx(recall)
    assert found.precision == pytest.approx(precision)
    specificity = recall_score(truth.ravel(), predicted.ravel(), pos_label=False)
    assert found.specificity == pytest.approx(specificity)
    assert found.volume_ratio == pytest.approx(predicted.sum() / truth.sum())
    assert (found.truth_voxels, found.predicted_voxels) == (truth.sum(), predicted.sum())


def test_cropping_leaves_surface_measures_as_they_are_on_the_whole_grid() -> None:
    truth, predicted = SOME, np.roll(SOME, 1, axis=1)
    found = overlap(predicted, truth, SPACING, 1.0)
    assert (found.hd95, found.assd, found.surface_dice) == surface_measures(
        predicted, truth, SPACING, 1.0
    )


def test_a_missed_structure_has_the_worst_values() -> None:
    found = overlap(NOTHING, SOME, SPACING, 1.0)
    assert found.outcome == "missed"
    assert (found.dice, found.sensitivity, found.precision, found.surface_dice) == (0, 0, 0, 0)
    assert found.hd95 == found.assd == pytest.approx(DIAGONAL)
    assert (found.volume_ratio, found.specificity) == (0, 1)


def test_a_false_alarm_has_the_worst_values() -> None:
    found = overlap(SOME, NOTHING, SPACING, 1.0)
    assert found.outcome == "false_alarm"
    assert (found.dice, found.sensitivity, found.precision, found.surface_dice) == (0, 0, 0, 0)
    assert found.hd95 == found.assd == pytest.approx(DIAGONAL)
    assert found.volume_ratio == 8
    assert found.specificity == pytest.approx(112 / 120)


def test_a_structure_rightly_absent_has_the_best_values() -> None:
    found = overlap(NOTHING, NOTHING, SPACING, 1.0)
    assert found.outcome == "absent"
    assert (found.dice, found.sensitivity, found.precision, found.surface_dice) == (1, 1, 1, 1)
    assert (found.hd95, found.assd, found.volume_ratio, found.specificity) == (0, 0, 1, 1)


def test_present_but_disjoint_is_not_missed() -> None:
    found = overlap(box(slice(5, 6)), box(slice(0, 1)), SPACING, 1.0)
    assert found.outcome == "present"
    assert (found.dice, found.sensitivity, found.precision) == (0, 0, 0)
    assert found.hd95 == pytest.approx(5.0)


def test_truth_that_fills_the_volume_has_a_defined_specificity() -> None:
    assert overlap(SOME, ~NOTHING, SPACING, 1.0).specificity == 1.0


def test_largest_component_joins_corners_and_drops_the_rest() -> None:
    mask = box(slice(0, 2), slice(0, 2), slice(0, 2))
    mask[2, 2, 2] = True  # touches by a corner
    lone = mask.copy()
    lone[5, 4, 3] = lone[5, 3, 3] = True
    np.testing.assert_array_equal(largest_component(lone), mask)
    assert largest_component(mask) is mask
    assert largest_component(NOTHING) is NOTHING


def test_rows_cover_every_class_and_rule_and_the_rule_changes_only_the_prediction() -> None:
    truth = np.where(SOME, 1, 0)
    predicted = truth.copy()
    predicted[5, 4, 3] = 1
    rows = list(overlap_rows(predicted, truth, 3, SPACING, 1.0))
    assert [(row["class"], row["rule"]) for row in rows] == [(c, r) for c in (1, 2) for r in RULES]
    both, largest = rows[:2]
    assert (both["predicted_voxels"], largest["predicted_voxels"]) == (9, 8)
    assert both["dice"] == pytest.approx(16 / 17)
    assert largest["dice"] == 1.0
    assert both["truth_voxels"] == largest["truth_voxels"] == 8
    assert [row["outcome"] for row in rows[2:]] == ["absent", "absent"]


def test_largest_component_is_taken_of_one_class_alone() -> None:
    # Class 1 is in two parts that only class 2 joins.
    predicted = np.zeros(SHAPE, dtype=int)
    predicted[0:2, 0, 0], predicted[2, 0, 0], predicted[3:6, 0, 0] = 1, 2, 1
    rows = list(overlap_rows(predicted, predicted, 3, SPACING, 1.0))
    assert [row["predicted_voxels"] for row in rows] == [5, 3, 1, 1]
