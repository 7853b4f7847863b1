from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.analysis.segmentation.analyse import analyse
from rarelens.studies.settings.segmentation.stages import AnalyseSegmentation

CLASSES = ["background", "lesion", "vessel"]
Make = Callable[..., Any]


@pytest.fixture
def subjects(subject: Make) -> list[Any]:
    """Three train, one validation, four test; the lesion of test subjects is shifted by −3."""
    train = [subject(f"case{n}", "train", n) for n in range(3)]
    validation = [subject("case3", "validation", 3)]
    test = [subject(f"case{n}", "test", n, move=-3.0) for n in range(4, 8)]
    return train + validation + test


@pytest.fixture
def run(
    tmp_path: Path, write_extract: Make, settings: AnalyseSegmentation
) -> Callable[[list[Any]], Path]:
    def run(subjects: list[Any]) -> Path:
        extract, prepared = write_extract(tmp_path, subjects, CLASSES)
        target = tmp_path / "target"
        target.mkdir()
        analyse(extract, prepared, target, settings)
        return target

    return run


def test_writes_just_the_files_agreed(run: Make, subjects: list[Any], tmp_path: Path) -> None:
    target = run(subjects)
    tables = ("shift", "shift_by_case", "overlap", "calibration", "margins", "joint", "dissection")
    others = ("subjects", "lesions", "lesion_counts")
    names = {f"{name}.parquet" for name in (*tables, *others)}
    files = {"history.csv", "panels", "analysis.json", "summary.json"}
    assert {p.name for p in target.iterdir()} == names | files
    for kept in ("joint.parquet", "history.csv", "panels/1.npz"):
        assert (target / kept).read_bytes() == (tmp_path / "extract" / kept).read_bytes()
    about = json.loads((target / "analysis.json").read_text())
    assert about == {
        "bin_width": 0.05,
        "joint_bin_width": 0.25,
        "classes": CLASSES,
        "rare_classes": [1],
        "training_cases": 3,
        "test_cases": 4,
        "units": {},
    }


def test_shift_is_that_of_the_raw_margins(run: Make, subjects: list[Any]) -> None:
    target = run(subjects)
    found = pd.read_parquet(target / "shift.parquet").set_index(["class_name", "statistic"])
    sides = {
        side: np.concatenate([s.margins(1) for s in subjects if s.side == side])
        for side in ("train", "test")
    }
    lesion = found.loc[("lesion", "mean")]
    assert lesion["difference"] == pytest.approx(sides["test"].mean() - sides["train"].mean())
    assert lesion["ci_high"] < 0
    background = found.loc[("background", "mean")]
    assert background["ci_low"] < 0 < background["ci_high"]
    assert len(pd.read_parquet(target / "shift_by_case.parquet")) == 8 * 3


def test_cases_of_a_group_are_drawn_together_and_told_to_the_comparison(
    tmp_path: Path, write_extract: Make, subjects: list[Any], settings: AnalyseSegmentation
) -> None:
    extract, prepared = write_extract(tmp_path, subjects, CLASSES)
    cases = [one.case for one in subjects]
    tables = []
    for groups in ("01234567", "00124455"):
        table = pd.DataFrame({"case": cases, "group": list(groups)})
        table.to_parquet(prepared / "cases.parquet", index=False)
        target = tmp_path / groups
        target.mkdir()
        analyse(extract, prepared, target, settings)
        assert pd.read_parquet(target / "subjects.parquet")["group"].tolist() == list(groups)
        shift = pd.read_parquet(target / "shift.parquet").query("class_name == 'lesion'")
        tables.append(shift.set_index("statistic"))
    pd.testing.assert_series_equal(tables[0]["difference"], tables[1]["difference"])
    # With two groups a test side, a quarter of the draws takes either of them twice.
    test = [np.concatenate([one.margins(1) for one in subjects[n : n + 2]]) for n in (4, 6)]
    train = [np.concatenate([one.margins(1) for one in subjects[:2]]), subjects[2].margins(1)]
    extremes = [a.mean() - b.mean() for a in test for b in train]
    found = tables[1].loc["mean"]
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((min(extremes), max(extremes)))


def test_overlap_is_of_test_subjects_on_the_original_grid(run: Make, subjects: list[Any]) -> None:
    found = pd.read_parquet(run(subjects) / "overlap.parquet")
    assert found["case"].unique().tolist() == ["case4", "case5", "case6", "case7"]
    assert len(found) == 4 * 2 * 2
    assert set(found["side"]) == {"test"}
    assert not found.isna().any(axis=None)
    one = subjects[4]
    p, t = one.predicted == 1, one.truth == 1
    row = found.query("case == 'case4' and `class` == 1 and rule == 'all'").iloc[0]
    assert row["dice"] == pytest.approx(2 * (p & t).sum() / (p.sum() + t.sum()))


def test_lesions_are_the_extracts_and_detected_above_an_iou(
    run: Make, subjects: list[Any], tmp_path: Path
) -> None:
    target = run(subjects)
    found = pd.read_parquet(target / "lesions.parquet")
    assert list(found) == [
        *["case", "side", "class", "lesion", "voxels", "volume"],
        *["detected", "iou", "detected_iou", "dice", "margin"],
    ]
    assert found["iou"].tolist() == [0, 0, 2 / 8, 4 / 8, 0, 6 / 8, 0]
    assert found["detected_iou"].tolist() == [False] * 5 + [True, False]  # above, not at .5
    given = pd.read_parquet(tmp_path / "extract" / "lesions.parquet")
    pd.testing.assert_frame_equal(found.drop(columns="detected_iou"), given)
    counts = pd.read_parquet(target / "lesion_counts.parquet")
    assert list(counts)[:3] == ["case", "side", "class"]
    assert list(counts)[3:] == ["lesions", "detected", "predicted", "false_alarms"]


def test_calibration_is_near_the_one_of_raw_probabilities(run: Make, subjects: list[Any]) -> None:
    found = pd.read_parquet(run(subjects) / "calibration.parquet").set_index(["side", "class"])
    assert len(found) == 3 * 3
    test = [s for s in subjects if s.side == "test"]
    p = np.concatenate([s.probabilities[1].ravel() for s in test]).astype(float)
    y = np.concatenate([(s.truth == 1).ravel() for s in test])
    gaps = [
        abs(p[here].sum() - y[here].sum())
        for here in (np.minimum((p * 15).astype(int), 14) == b for b in range(15))
    ]
    assert found.loc[("test", 1), "ece"] == pytest.approx(sum(gaps) / p.size, rel=1e-4)


def test_summary_is_the_mean_over_test_subjects(run: Make, subjects: list[Any]) -> None:
    target = run(subjects)
    summary = json.loads((target / "summary.json").read_text())
    overlap = pd.read_parquet(target / "overlap.parquet").query("rule == 'all'")
    assert list(summary) == sorted(CLASSES)
    assert list(summary["background"]) == ["shift"]
    for index, name in ((1, "lesion"), (2, "vessel")):
        own = overlap[overlap["class"] == index]
        assert summary[name]["hd95"] == pytest.approx(own["hd95"].mean())
        assert summary[name]["present"] == 4
    assert summary["lesion"]["shift"] < -2


def test_a_class_without_training_voxels_is_null_and_never_dropped(
    run: Make, subjects: list[Any]
) -> None:
    for one in subjects[:3]:
        one.truth[one.truth == 2] = 0
    target = run(subjects)
    assert json.loads((target / "summary.json").read_text())["vessel"]["shift"] is None
    shift = pd.read_parquet(target / "shift.parquet").query("class_name == 'vessel'")
    assert len(shift) == 10
    assert shift["difference"].isna().all()


def test_missed_and_absent_structures_are_counted(run: Make, subjects: list[Any]) -> None:
    subjects[4].logits[2] = -50  # vessel missed
    subjects[5].logits[2] = -50
    subjects[5].truth[subjects[5].truth == 2] = 0  # vessel absent
    target = run(subjects)
    summary = json.loads((target / "summary.json").read_text())["vessel"]
    overlap = pd.read_parquet(target / "overlap.parquet").query("`class` == 2 and rule == 'all'")
    held = overlap[overlap["case"] != "case5"]
    for measure in ("dice", "sensitivity", "volume_ratio", "hd95"):
        assert summary[measure] == pytest.approx(held[measure].mean())
    assert summary["specificity"] == pytest.approx(overlap["specificity"].mean())
    assert [summary[k] for k in ("present", "missed", "absent", "false_alarm")] == [2, 1, 1, 0]


def test_one_training_subject_is_enough(run: Make, subjects: list[Any]) -> None:
    found = pd.read_parquet(run([subjects[0], *subjects[4:]]) / "shift.parquet")
    assert found.query("statistic == 'mean'")[["ci_low", "ci_high"]].notna().all(axis=None)


def test_twice_gives_the_same_bytes(
    tmp_path: Path, write_extract: Make, subjects: list[Any], settings: AnalyseSegmentation
) -> None:
    extract, prepared = write_extract(tmp_path, subjects, CLASSES)
    targets = [tmp_path / name for name in ("first", "second")]
    for target in targets:
        target.mkdir()
        analyse(extract, prepared, target, settings)
    for file in (p for p in targets[0].rglob("*") if p.is_file()):
        assert file.read_bytes() == (targets[1] / file.relative_to(targets[0])).read_bytes(), file


def test_every_grid_that_differs_is_named_at_once(
    tmp_path: Path, write_extract: Make, subjects: list[Any], settings: AnalyseSegmentation
) -> None:
    extract, prepared = write_extract(tmp_path, subjects, CLASSES)
    labels = np.zeros((9, 10, 8), dtype=np.uint8)
    wrong = {"case5": (labels[1:], np.diag([1, 1.5, 2, 1])), "case6": (labels, np.eye(4))}
    for case, (array, affine) in wrong.items():
        nib.save(nib.Nifti1Image(array, affine), extract / "predictions" / f"{case}.nii.gz")
    (tmp_path / "target").mkdir()
    with pytest.raises(RarelensError) as caught:
        analyse(extract, prepared, tmp_path / "target", settings)
    assert len(caught.value.problems) == 2
    assert "case5: the predicted label map's shape (8, 10, 8)" in caught.value.problems[0]
    assert "case6: the predicted label map's affine" in caught.value.problems[1]


def test_a_missing_label_map_is_named(
    tmp_path: Path, write_extract: Make, subjects: list[Any], settings: AnalyseSegmentation
) -> None:
    extract, prepared = write_extract(tmp_path, subjects, CLASSES)
    (prepared / "references" / "case6.nii.gz").unlink()
    (tmp_path / "target").mkdir()
    with pytest.raises(RarelensError, match=r"case6\.nii\.gz: no such label map"):
        analyse(extract, prepared, tmp_path / "target", settings)
