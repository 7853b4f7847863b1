"""Prediction, shift and representation of one cell, from an extract written by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from rarelens.studies.analysis.classification.prediction_tables import write_prediction
from rarelens.studies.analysis.classification.representation_tables import write_representation
from rarelens.studies.analysis.classification.shift_tables import BIN_WIDTH, write_shift
from rarelens.studies.settings.classification.stages import AnalyseClassification

CLASSES = ["common", "middle", "rare", "absent"]
SETTINGS = AnalyseClassification(
    bootstrap=200,
    confidence=0.95,
    calibration_bins=5,
    head_above=0.3,
    tail_below=0.1,
    quantile=0.005,
    iou_threshold=0.04,
    maps="native",
    ceiling_share=0.3,
    permutations=19,
    null_level=0.95,
    exact_quantile_values=1000,
    alignment_thresholds=(0.5,),
    probe_regularisation=1.0,
    panels=0,
    seed=0,
)


@pytest.fixture
def extract(tmp_path):
    """400 images of 100 patients; the last class has no positive, one in ten labels is open."""
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 4)) < [0.4, 0.2, 0.05, 0.0]).astype(np.float32)
    labels[rng.random((400, 4)) < 0.1] = np.nan
    logits = rng.normal(1.5 * np.nan_to_num(labels, nan=0.5) - 1, 1).astype(np.float32)
    sides = np.repeat(["train", "validation", "test", "unused"], [160, 80, 120, 40])
    logits[sides == "test"] -= 0.5 * np.nan_to_num(labels[sides == "test"])
    table = pd.DataFrame({"image": [f"i{n:03d}" for n in range(400)]})
    table["group"] = [f"p{n // 4}" for n in range(400)]
    table["side"], table["row"] = sides, np.arange(400)
    for index in range(4):
        table[f"logit_{index}"] = logits[:, index]
        table[f"label_{index}"] = labels[:, index]
    folder = tmp_path / "extract"
    (folder / "features").mkdir(parents=True)
    table.to_parquet(folder / "scores.parquet", index=False)
    features = np.column_stack([logits[:, :2], rng.normal(size=(400, 3))]).astype(np.float32)
    np.save(folder / "features" / "block.one.npy", features)
    return folder


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "analysis"
    folder.mkdir()
    return folder


def side_of(extract, side):
    table = pd.read_parquet(extract / "scores.parquet")
    return table[table["side"] == side]


def known(table, index):
    own = table[table[f"label_{index}"].notna()]
    return own[f"label_{index}"], own[f"logit_{index}"]


def value(table, measure, index=-1, group="class", side="test"):
    rows = table[
        (table["measure"] == measure)
        & (table["class"] == index)
        & (table["group"] == group)
        & (table["side"] == side)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_prediction_is_scikit_learns_over_the_known_labels(extract, target):
    write_prediction(extract, CLASSES, target, SETTINGS)
    found = pd.read_parquet(target / "prediction.parquet")
    test = side_of(extract, "test")
    aurocs = [roc_auc_score(*known(test, index)) for index in range(3)]
    for index in range(3):
        row = value(found, "auroc", index)
        assert row["value"] == pytest.approx(aurocs[index])
        assert row["ci_low"] < row["value"] < row["ci_high"]
        precision = value(found, "average_precision", index)["value"]
        assert precision == pytest.approx(average_precision_score(*known(test, index)))
    assert value(found, "auroc", group="mean")["value"] == pytest.approx(np.mean(aurocs))
    for index, group in enumerate(["head", "mid", "tail"]):
        assert value(found, "auroc", group=group)["value"] == pytest.approx(aurocs[index])
    assert value(found, "positives", 2)["value"] == (test["label_2"] == 1).sum()


def test_recall_is_that_at_the_threshold_of_the_validation_images(extract, target):
    write_prediction(extract, CLASSES, target, SETTINGS)
    found = pd.read_parquet(target / "prediction.parquet")
    chosen = value(found, "threshold", 0)["value"]
    assert chosen == value(found, "threshold", 0, side="validation")["value"]
    labels, logits = known(side_of(extract, "test"), 0)
    called = 1 / (1 + np.exp(-logits.astype(float))) >= chosen - 1e-12
    assert value(found, "recall", 0)["value"] == pytest.approx(called[labels == 1].mean())


def test_a_class_of_one_sign_is_undefined_and_stays_out_of_the_means(extract, target):
    write_prediction(extract, CLASSES, target, SETTINGS)
    found = pd.read_parquet(target / "prediction.parquet")
    absent = found[found["class"] == 3]
    counts = {"prevalence", "positives", "negatives"}
    assert set(absent.loc[absent["defined"], "measure"]) == counts
    assert absent[~absent["defined"]][["value", "ci_low", "ci_high"]].isna().all(axis=None)
    assert value(found, "f1", group="mean")["defined"]


def test_the_correction_improves_what_is_badly_calibrated(extract, target):
    write_prediction(extract, CLASSES, target, SETTINGS)
    found = pd.read_parquet(target / "prediction.parquet")
    before, after = (value(found, name, group="mean") for name in ("brier", "brier_calibrated"))
    assert after["value"] < before["value"]
    table = pd.read_parquet(target / "reliability.parquet")
    own = table[(table["class"] == 0) & ~table["calibrated"]]
    assert own["count"].sum() == side_of(extract, "test")["label_0"].notna().sum()


def test_shift_is_the_difference_of_mean_margins_between_the_sides(extract, target):
    write_shift(extract, CLASSES, target, SETTINGS)
    shift = pd.read_parquet(target / "shift.parquet")
    means = {}
    for side in ("train", "test"):
        labels, logits = known(side_of(extract, side), 1)
        means[side] = [logits[labels == 1].mean(), -logits[labels == 0].mean()]
    for position, sign in enumerate(("positive", "negative")):
        row = shift[
            (shift["class"] == 1) & (shift["sign"] == sign) & (shift["statistic"] == "mean")
        ].iloc[0]
        expected = means["test"][position] - means["train"][position]
        assert row["difference"] == pytest.approx(expected, abs=1e-5)
        assert row["ci_low"] < row["difference"] < row["ci_high"]
    none = shift[(shift["class"] == 3) & (shift["sign"] == "positive")]
    assert none["difference"].isna().all()
    assert len(none) > 0


def test_margins_count_every_known_label_once(extract, target):
    write_shift(extract, CLASSES, target, SETTINGS)
    margins = pd.read_parquet(target / "margins.parquet")
    table = pd.read_parquet(extract / "scores.parquet")
    assert margins["count"].sum() == table[[f"label_{n}" for n in range(4)]].notna().sum().sum()
    labels, logits = known(side_of(extract, "test"), 0)
    own = margins[(margins["class"] == 0) & (margins["side"] == "test")]
    negative = own[own["sign"] == "negative"]
    expected = np.floor(-logits[labels == 0].astype(float) / BIN_WIDTH).astype(int)
    assert negative["bin"].tolist() == sorted(expected.unique())


def test_the_probe_finds_the_class_that_its_features_hold(extract, target):
    write_representation(extract, CLASSES, ["block.one"], target, SETTINGS)
    table = pd.read_parquet(target / "representation.parquet").set_index(["measure", "class"])
    auroc = table.loc["linear_probe_auroc"]
    assert auroc.loc[0, "value"] > 0.7
    assert not auroc.loc[3, "defined"]
    assert auroc.loc[-1, "value"] == pytest.approx(auroc.loc[[0, 1, 2], "value"].mean())
    assert 1 < table.loc[("effective_rank", -1), "value"] < 5
    assert table.loc[("nc1", 0), "value"] < table.loc[("nc1", 2), "value"]


def test_the_same_tables_byte_for_byte(extract, target, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    for folder in (target, again):
        write_prediction(extract, CLASSES, folder, SETTINGS)
        write_shift(extract, CLASSES, folder, SETTINGS)
    for file in sorted(target.iterdir()):
        assert file.read_bytes() == (again / file.name).read_bytes()


def test_a_side_without_any_image_breaks_nothing(extract, target):
    table = pd.read_parquet(extract / "scores.parquet")
    table["side"] = table["side"].replace("validation", "unused")
    table.to_parquet(extract / "scores.parquet", index=False)
    write_prediction(extract, CLASSES, target, SETTINGS)
    found = pd.read_parquet(target / "prediction.parquet")
    assert value(found, "auroc", 0)["defined"]
    assert not value(found, "recall", 0)["defined"]
    assert not found[(found["side"] == "validation") & (found["measure"] == "auroc")][
        "defined"
    ].any()
