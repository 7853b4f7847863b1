from __future__ import annotations

from dataclasses import replace

from rarelens.pipeline.tracking.names import (
    epoch_metric,
    flatten,
    is_epoch_metric,
    measures,
    note,
    run_name,
    source,
)
from rarelens.studies.cells import Cell

CELL = Cell("segmentation", "brains", "unet", "focal", "0.4", 3)


def test_flatten_joins_keys_by_dots() -> None:
    assert flatten({"a": 1, "b": {"c": 2, "d": {"e": [3]}}, "f": None}) == {
        "a": 1, "b.c": 2, "b.d.e": [3], "f": None,
    }  # fmt: skip


def test_a_mean_stands_before_its_classes_and_details_last() -> None:
    summary = {"mean": {"auroc": 0.1234567}, "class": {"a": {"auroc": 0.5, "brier": 1}}}
    assert list(measures("classification", summary).items()) == [
        ("test/auroc", 0.123457),
        ("test/auroc/a", 0.5),
        ("test_details/brier/a", 1.0),
    ]


def test_classes_of_a_segmentation_may_be_called_anything() -> None:
    summary = {"mean": {"dice": 0.5}, "class": {"dice": 0.25}}
    assert measures("segmentation", summary) == {"test/dice/mean": 0.5, "test/dice/class": 0.25}


def test_a_segmentation_s_mean_is_that_of_its_rare_classes() -> None:
    summary = {
        "background": {"shift": 3.0},
        "a": {"dice": 0.25, "hd95": 2.0, "shift": 1.0},
        "b": {"dice": 0.75, "hd95": None, "shift": -2.0},
    }
    found = measures("segmentation", summary, ["a", "b"])
    # A mean of fewer classes would not compare.
    assert {name: found[name] for name in found if name.count("/") == 1} == {
        "test/dice": 0.5, "test/shift": -0.5,
    }  # fmt: skip
    assert list(found)[:2] == ["test/dice", "test/dice/a"]


def test_each_layer_of_a_segmentation_has_its_own_measures() -> None:
    summary = {"layers": {"first": {"units": 2.0}, "second": {"units": 3.0}}}
    assert measures("segmentation", summary) == {
        "test_details/units/first": 2.0, "test_details/units/second": 3.0,
    }  # fmt: skip


def test_a_run_s_source_is_the_stage_that_dvc_can_repeat() -> None:
    assert source(CELL) == "studies/segmentation/dvc.yaml:train@brains-unet-focal-0.4-3"
    assert source(replace(CELL, method="focal+threshold")) == (
        "studies/segmentation/dvc.yaml:adjust@brains-unet-focal-threshold-0.4-3"
    )
    assert source(replace(CELL, task="classification", method="bce+classifier_retraining")) == (
        "studies/classification/dvc.yaml:retrain@brains-unet-bce-classifier_retraining-0.4-3"
    )


def test_a_run_is_named_after_what_is_looked_for_first() -> None:
    assert run_name(CELL) == "focal · seed 3 · brains · unet · 0.4"


def test_a_description_says_how_an_adjusted_cell_came_about() -> None:
    assert "Adjusted" not in note(CELL)
    assert "after training by `threshold`" in note(replace(CELL, method="focal+threshold"))
    retrained = replace(CELL, task="classification", method="bce+classifier_retraining")
    assert "trained anew by `classifier_retraining`" in note(retrained)


def test_a_class_s_margin_through_training_is_an_epoch_s_metric() -> None:
    assert epoch_metric("margin_train_1") == "train/margin_1"
    assert epoch_metric("misclassified_validation_12") == "validation/misclassified_12"
    assert epoch_metric("loss") == "train/loss"
    assert epoch_metric("step") is None
    assert is_epoch_metric("validation/misclassified_12")
    assert is_epoch_metric("train/loss")
    assert not is_epoch_metric("test/margin_1")
    assert not is_epoch_metric("usage/steps")
