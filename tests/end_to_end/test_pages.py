"""The how-to pages do what they say, followed to the letter in a working copy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pages import follow
from working_copy import ROOT, Project, copy_project


def small(parameters: Any) -> None:
    """The segmentation study of the tutorial, of few and coarse subjects, hardly trained."""
    study = parameters["study"]
    study["simulated"], study["classification"]["datasets"] = ["embedded"], []
    study["segmentation"] |= {"methods": ["cross_entropy", "asymmetric_focal"], "seeds": [0]}
    data = parameters["datasets"]["embedded"]
    data["simulate"] |= {"subjects": 9, "spacing": 6.0}
    data["split"] |= {"test": 3, "validation": 1, "pool": 5}
    data["patch_size"] = [16, 16, 16]
    parameters["train"]["segmentation"] |= {"steps": 4, "epoch_steps": 2, "threads": 1}
    parameters["extract"]["segmentation"] |= {"units_patches": 0, "threads": 1}
    parameters["analyse"]["segmentation"]["bootstrap"] = 20
    parameters["compare"]["bootstrap"] = 20
    parameters["report"]["dpi"] = 50


def test_the_tutorial(tmp_path: Path) -> None:
    copy_project(tmp_path)
    tables = tmp_path / "docs/results/tables.py"
    tables.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / "docs/results/tables.py", tables)
    project = Project(tmp_path, tmp_path / "data/raw")
    project.run("git", "init", "-q")
    project.change(small)
    project.commit()
    validated, one, shift, whole, shown, planned, changed, differs, origin, synced, own = follow(
        "tutorial.md", project
    )
    assert "no problem found" in validated
    assert one.count("train (segmentation)") == 1
    assert "negative_fraction" in shift
    assert whole.count("train (segmentation)") == 1  # The other method; the first is there.
    assert "| embedded | unet | 0.4 | lesion | asymmetric_focal |" in shown
    assert "methods.segmentation.asymmetric_focal.gamma" in planned
    assert changed.count("train (segmentation)") == 1
    assert "embedded.unet.0.4.asymmetric_focal.dice" in differs
    _, computed, stored = origin.splitlines()[0].split()
    assert computed == stored
    assert "2 runs of this study" in synced
    assert "lesion -2.0" in own


def test_add_a_loss(clone: Project) -> None:
    validated, planned, ran = follow("how-to/add-a-loss.md", clone)
    assert "no problem found" in validated
    assert "methods.segmentation.log_cosh_dice: new" in planned
    trained = [line for line in ran.splitlines() if "Running stage" in line and "train@" in line]
    assert len(trained) == 1
    assert "log_cosh_dice" in trained[0]
    metrics = json.loads(clone.read("metrics/segmentation.json"))
    assert "log_cosh_dice" in metrics["hippocampus"]["unet"]["1"]


def test_add_a_network(clone: Project) -> None:
    def keep_two(parameters: dict) -> None:
        parameters["study"]["segmentation"] |= {"adjusted": [], "adjustments": []}

    clone.change(keep_two)
    follow("how-to/add-a-network.md", clone)
    metrics = json.loads(clone.read("metrics/segmentation.json"))
    assert set(metrics["hippocampus"]) == {"unet", "plain_cnn"}


def test_add_a_layout(clone: Project) -> None:
    source, target = clone.raw / "hippocampus", clone.folder / "data/raw/mine"
    for kind, name in (("imagesTr", "scans"), ("labelsTr", "masks")):
        shutil.copytree(source / kind, target / name)
    (target / "classes.txt").write_text("background anterior posterior")
    follow("how-to/add-a-layout.md", clone)
    description = json.loads(clone.read("data/prepared/mine/dataset.json"))
    assert description["classes"] == ["background", "anterior", "posterior"]
    assert len(list((clone.folder / "data/prepared/mine/images").iterdir())) == 12


def test_add_a_measure_with_its_figure(clone: Project) -> None:
    (ran,) = follow("how-to/add-a-measure.md", clone)
    assert "analyse@" in ran
    assert not [line for line in ran.splitlines() if "Running" in line and "extract@" in line]
    metrics = json.loads(clone.read("metrics/segmentation.json"))
    own = metrics["hippocampus"]["unet"]["1"]["focal"]["Anterior"]
    assert 0 <= own["volumetric_similarity"] <= 1
    figures = clone.folder / "reports/figures"
    assert list(figures.glob("*volumetric_similarity.png"))
    assert b"Volumetric similarity by class" in clone.read("reports/index.html")
