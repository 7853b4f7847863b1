"""The promise: a change reruns what it affects, all of it, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from folders import digests
from working_copy import TABLES, Project

CELL = "hippocampus-unet-{}-1-0"
SMEARS = "blood_cells-light_cnn-{}-1-0"
RETRAINED = SMEARS.format("bce-classifier_retraining")
METRICS = (
    "metrics/segmentation.json",
    "metrics/segmentation.csv",
    "metrics/classification.json",
    "metrics/classification.csv",
    "metrics/classification_pairs.csv",
)
SEGMENTATION = "studies/segmentation/dvc.yaml:{}"
CLASSIFICATION = "studies/classification/dvc.yaml:{}"
# A parameter of any kind: checked anew, in seconds.
CHECKED = {"cells@segmentation", "cells@classification"}
# One that may name a component.
NAMED = {*CHECKED, "fingerprint"}


def stages_of(method: str) -> set[str]:
    names = ("train", "extract", "analyse")
    return {SEGMENTATION.format(f"{name}@{CELL.format(method)}") for name in names}


def classifiers_of(method: str) -> set[str]:
    names = ("train", "extract", "analyse")
    return {CLASSIFICATION.format(f"{name}@{SMEARS.format(method)}") for name in names}


def trains_or_extracts(stage: str) -> bool:
    return stage.partition(":")[2].startswith(("train", "retrain", "extract"))


def test_study_leaves_every_result(original: Project) -> None:
    metrics = json.loads(original.read("metrics/segmentation.json"))
    methods = metrics["hippocampus"]["unet"]["1"]
    assert set(methods) == {"cross_entropy", "cross_entropy+threshold", "focal"}
    assert 0 <= methods["focal"]["Anterior"]["dice"] <= 1
    assert b"focal" in original.read("reports/index.html")
    maps = original.folder / "extracts/segmentation/hippocampus/unet/focal/1/0/predictions"
    assert len(list(maps.glob("*.nii.gz"))) == 9


def test_study_of_images_leaves_every_result(original: Project) -> None:
    metrics = json.loads(original.read("metrics/classification.json"))
    methods = metrics["blood_cells"]["light_cnn"]["1"]
    assert set(methods) == {"bce", "bce+classifier_retraining", "weighted_bce"}
    assert all(0 <= own["mean"]["auroc"] <= 1 for own in methods.values())
    assert {"RBC", "WBC", "Platelets"} < set(methods["weighted_bce"])
    pairs = pd.read_csv(original.folder / "metrics/classification_pairs.csv")
    assert {"auroc", "cka"} <= set(pairs["quantity"])
    # Both studies are on one page, of which each has its own tables.
    page = original.read("reports/index.html")
    assert b"bce+classifier retraining" in page
    assert b"focal" in page


def test_no_case_id_in_what_git_or_mlflow_keeps(original: Project) -> None:
    cases = [f"hippocampus_{file.name.split('_')[1][:3]}" for file in _images(original)]
    cases.append("BloodImage")
    tracked = original.run("git", "ls-files", "metrics", "*dvc.lock").stdout.split()
    for name in [*tracked, "reports/index.html", "mlflow.db"]:
        content = original.read(name)
        assert not [case for case in cases if case.encode() in content], name


def _images(project: Project) -> list[Path]:
    return sorted((project.raw / "hippocampus/imagesTr").iterdir())


def test_the_browsed_cases_are_those_that_were_measured(original: Project) -> None:
    """Dice anew, of volumes on the grid that the label maps were made on."""
    folder = original.folder / "browse/segmentation/hippocampus/unet/1"
    known = json.loads((folder / "cases.json").read_text())
    assert set(known["methods"]) == {"cross_entropy", "focal", "cross_entropy+threshold"}
    assert [case["name"] for case in known["cases"]] == ["worst", "median", "best"]
    model = original.folder / "models/segmentation/hippocampus/unet/focal/1/0"
    rare = json.loads((model / "model.json").read_text())["rare_classes"]
    for case in known["cases"]:
        with np.load(folder / f"{case['name']}.npz") as found:
            assert np.diag(found["turned"]).tolist() == [1, 1, 1]
            for place, method in enumerate(known["methods"]):
                own, truth = found["prediction"][place], found["truth"]
                dice = [
                    2 * ((own == c) & (truth == c)).sum() / ((own == c).sum() + (truth == c).sum())
                    for c in rare
                ]
                assert case["dice"][method] == pytest.approx(np.mean(dice))
                assert ((found["margin"][place] > 0) == np.isin(own, rare)).all()


def test_second_repro_runs_nothing(original: Project) -> None:
    assert original.repro() == set()


def test_clone_restores_all_and_gives_the_same_bytes(
    unrestored: Project, original: Project
) -> None:
    assert unrestored.repro() == set()
    for name in (*METRICS, "reports/index.html"):
        assert unrestored.read(name) == original.read(name)


def test_gamma_reruns_the_cells_of_focal_and_what_follows_and_dvc_shows_it(clone: Project) -> None:
    def edit(parameters: Any) -> None:
        parameters["methods"]["segmentation"]["focal"]["gamma"] = 3.0

    clone.change(edit)
    assert clone.repro() == {
        *stages_of("focal"),
        *NAMED,
        *(SEGMENTATION.format(stage) for stage in ("compare", "browse")),
        "report",
    }
    # What has changed by it, DVC's own views show.
    diff = json.loads(clone.run("dvc", "metrics", "diff", "--json").stdout)
    changed = diff["metrics/segmentation_summary.json"]
    assert any("focal" in key and "dice" in key for key in changed)
    assert not any("cross_entropy" in key for key in changed)
    plots = clone.run("dvc", "plots", "show")
    assert plots.returncode == 0, plots.stderr
    page = (clone.folder / "dvc_plots/index.html").read_text()
    assert "margin" in page
    # Without network: the scripts stand in the page.
    assert "vegaEmbed=" in page
    assert not re.search(r"<(script|link|img)[^>]*https?:", page)


def test_an_adjustment_reruns_its_own_cells_and_trains_nothing(clone: Project) -> None:
    def edit(parameters: Any) -> None:
        parameters["adjustments"]["segmentation"]["threshold"]["largest"] = 4.0

    clone.change(edit)
    name = "cross_entropy-threshold"
    ran = clone.repro_but_report()
    assert SEGMENTATION.format(f"adjust@{CELL.format(name)}") in ran
    assert not [stage for stage in ran if trains_or_extracts(stage)]


def test_source_of_weights_reruns_the_cells_of_weighted_bce_and_what_follows(
    clone: Project,
) -> None:
    def edit(parameters: Any) -> None:
        parameters["methods"]["classification"]["weighted_bce"]["source"] = "batch"

    clone.change(edit)
    ran = {*classifiers_of("weighted_bce"), *NAMED, CLASSIFICATION.format("compare"), "report"}
    assert clone.repro_but_report() == ran


def test_new_heads_rerun_without_any_training(clone: Project) -> None:
    def faster(parameters: Any) -> None:
        retraining = parameters["adjustments"]["classification"]["classifier_retraining"]
        retraining["learning_rate"] = 0.05

    clone.change(faster)
    assert clone.repro_but_report() == {
        CLASSIFICATION.format(f"retrain@{RETRAINED}"),
        CLASSIFICATION.format(f"extract_retrained@{RETRAINED}"),
        CLASSIFICATION.format(f"analyse_retrained@{RETRAINED}"),
        *NAMED,
        CLASSIFICATION.format("compare"),
        "report",
    }


def test_a_comparison_comes_back_where_a_value_is_set_back(
    clone: Project, original: Project
) -> None:
    for value, again in ((0.031, True), (None, False)):

        def edit(parameters: Any, value: float | None = value) -> None:
            parameters["compare"]["equivalence"] = value or 0.02

        clone.change(edit)
        ran = clone.repro(*TABLES)
        for task in ("segmentation", "classification"):
            assert (f"studies/{task}/dvc.yaml:compare" in ran) is again
        assert (clone.read(METRICS[4]) == original.read(METRICS[4])) is not again
    shown = json.loads(clone.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    for task in ("segmentation", "classification"):
        summary = f"metrics/{task}_summary.json"
        assert shown[summary]["data"] == json.loads(clone.read(summary))


def test_a_study_that_is_switched_off_leaves_the_other_as_it_is(
    clone: Project, original: Project
) -> None:
    for off, on in (("classification", "segmentation"), ("segmentation", "classification")):

        def edit(parameters: Any, off: str = off, on: str = on) -> None:
            datasets = {"segmentation": ["hippocampus"], "classification": ["blood_cells"]}
            parameters["study"][off]["datasets"] = []
            parameters["study"][on]["datasets"] = datasets[on]

        clone.change(edit)
        ran = clone.repro()
        assert not [stage for stage in ran if trains_or_extracts(stage)]
        assert {f"studies/{off}/dvc.yaml:compare", "report"} <= ran
        assert json.loads(clone.read(f"metrics/{off}.json")) == {}
        assert clone.read(f"metrics/{on}.csv") == original.read(f"metrics/{on}.csv")
        assert not list((clone.folder / "analyses" / off).iterdir())
        assert b"<html" in clone.read("reports/index.html")
        plots = clone.run("dvc", "plots", "show")
        assert "failed" not in (plots.stdout + plots.stderr).lower()


def test_retraining_gives_the_same_bytes(clone: Project) -> None:
    models = clone.folder / "models"
    before = digests(models)
    shutil.rmtree(models)
    ran = clone.repro(
        "--force", "--single-item", SEGMENTATION.format(f"train@{CELL.format('focal')}")
    )
    assert ran == {SEGMENTATION.format(f"train@{CELL.format('focal')}")}
    again = digests(models)
    assert again
    assert again == {name: digest for name, digest in before.items() if "/focal/" in name}


def test_shrunk_study_equals_one_that_was_never_larger(clone: Project, tmp_path: Path) -> None:
    def edit(parameters: Any) -> None:
        parameters["study"]["segmentation"]["methods"] = ["cross_entropy"]

    clone.change(edit)
    after = {SEGMENTATION.format(stage) for stage in ("compare", "browse")}
    assert clone.repro_but_report() == {*CHECKED, *after, "report"}
    assert not (clone.folder / "analyses/segmentation/hippocampus/unet/focal").exists()
    small = json.loads(clone.read("metrics/segmentation.json"))
    kept = {"cross_entropy", "cross_entropy+threshold"}
    assert set(small["hippocampus"]["unet"]["1"]) == kept

    # A working copy that never held the larger study: same metrics, same bytes.
    never = tmp_path / "never"
    shutil.copytree(clone.folder, never, symlinks=True)
    for made in ("analyses", "metrics", "data", "cells"):
        shutil.rmtree(never / made)
    (never / "data/raw").mkdir(parents=True)
    for name in ("hippocampus", "blood_cells"):
        (never / "data/raw" / name).symlink_to(clone.raw / name)
    fresh = Project(never, clone.raw)
    fresh.repro(*TABLES)
    for name in METRICS:
        assert fresh.read(name) == clone.read(name)


def test_content_behind_a_symbolic_link_is_tracked(clone: Project, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(clone.raw / "hippocampus", moved)
    link = clone.folder / "data/raw/hippocampus"
    link.unlink()
    link.symlink_to(moved)
    assert "preprocess" not in _changed(clone)
    description = json.loads((moved / "dataset.json").read_text())
    (moved / "dataset.json").write_text(json.dumps(description, indent=1))
    assert SEGMENTATION.format("preprocess@hippocampus") in _changed(clone)


def _changed(project: Project) -> str:
    """Stages with a changed dependency (missing outputs do not count)."""
    status = json.loads(project.run("dvc", "status", "--json").stdout)
    return " ".join(
        stage
        for stage, changes in status.items()
        if any("changed deps" in change for change in changes if isinstance(change, dict))
    )


def test_bad_data_is_refused_before_any_training(unrestored: Project, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(unrestored.raw / "hippocampus", broken)
    image = sorted((broken / "imagesTr").iterdir())[2]
    image.write_bytes(image.read_bytes()[:500])
    link = unrestored.folder / "data/raw/hippocampus"
    link.unlink()
    link.symlink_to(broken)
    done = unrestored.run("dvc", "repro")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert image.name in said
    assert "Traceback" not in said
    assert not (unrestored.folder / "data/prepared").exists() or not list(
        (unrestored.folder / "data/prepared").iterdir()
    )
    assert not (unrestored.folder / "models").exists()


def test_bad_boxes_are_refused_before_any_training(unrestored: Project, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(unrestored.raw / "blood_cells", broken)
    coco = json.loads((broken / "annotations.json").read_text())
    coco["annotations"][4]["bbox"] = [90, 90, 60, 60]
    (broken / "annotations.json").write_text(json.dumps(coco))
    image = next(
        each["file_name"].removesuffix(".jpg")
        for each in coco["images"]
        if each["id"] == coco["annotations"][4]["image_id"]
    )
    link = unrestored.folder / "data/raw/blood_cells"
    link.unlink()
    link.symlink_to(broken)
    done = unrestored.run("dvc", "repro")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    where = f"annotations.json: annotation {coco['annotations'][4]['id']}: box"
    assert f"{image}: data/raw/blood_cells/{where}" in said
    assert "partly outside the image of 96 × 96 pixels" in said
    assert "Traceback" not in said
    prepared = unrestored.folder / "data/prepared"
    assert not [each.name for each in prepared.glob("*") if "blood_cells" in each.name]
    assert not (unrestored.folder / "models").exists()


def test_unknown_key_is_refused_before_any_training(unrestored: Project) -> None:
    def edit(parameters: Any) -> None:
        parameters["train"]["segmentation"]["stepps"] = 5

    unrestored.change(edit)
    done = unrestored.run("dvc", "repro")
    assert done.returncode != 0
    assert "train.segmentation.stepps: unknown key" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (unrestored.folder / "models").exists()
