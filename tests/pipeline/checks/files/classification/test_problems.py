"""What ``rarelens validate`` finds wrong with a study of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.checks.files.classification.smears import RAW, spoil
from pipeline.checks.files.studies import Study, problems
from rarelens.pipeline.checks.files.classification import _classes_without_regions
from rarelens.pipeline.checks.validate import validate_study
from rarelens.studies.data.classification.collection import ImageEntry
from rarelens.studies.data.layout import read_collection


def test_problems_of_parameters_and_of_several_files_at_once(study: Study) -> None:
    study(study__classification__networks=["light_cnn", "vgg"])

    def edit(content: Any) -> None:
        content["annotations"][2]["bbox"] = [28, 6, 8, 12]
        content["images"][3]["width"] = 64

    spoil(edit)
    (RAW / "images/im_05.png").write_bytes(b"1234")
    found = problems()
    assert len(found) == 4
    assert "study.classification.networks: there is no 'vgg'; choose one of" in found[0]
    file = RAW / "annotations.json"
    assert found[1].startswith(f"im_02: {file}: annotation 2: box")
    assert "outside the image of 32 × 24 pixels" in found[1]
    assert found[2] == (
        f"im_03: {RAW}/images/im_03.png: 32 × 24 pixels, but 64 × 24 are declared; correct one of "
        "them"
    )
    assert found[3].startswith(f"im_05: {RAW}/images/im_05.png: ")


def test_missing_images_are_told_together(study: Study) -> None:
    for number in (5, 6):
        (RAW / f"images/im_0{number}.png").unlink()
    found = problems()
    assert [sentence.split(":")[0] for sentence in found] == ["im_05", "im_06"]
    assert all("no such file" in sentence for sentence in found)


def test_patients_in_two_official_lists_are_told(study: Study) -> None:
    def edit(content: Any) -> None:
        for image in content["images"]:
            image["split"] = "test" if image["id"] < 3 else "train"

    spoil(edit)
    (sentence,) = problems()
    assert "group p1 is in " in sentence
    assert "keep it in one, or set split.official to false" in sentence
    study(datasets__smears__split__official=False)
    assert "no problem found" in validate_study()


def test_problems_of_every_dataset_at_once(study: Study) -> None:
    values = YAML(typ="safe").load(Path("params.yaml").read_text())["datasets"]["smears"]
    study(
        datasets__second=values,
        study__classification__datasets=["smears", "second", "third"],
    )
    (RAW / "images/im_05.png").write_bytes(b"1234")
    found = problems()
    assert len(found) == 3
    assert "study.classification.datasets: there is no 'third'" in found[0]
    assert found[1].startswith("im_05: ")
    assert "data/raw/second" in found[2]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"datasets__smears__preprocess__classes": ["WBC", "Platelets"]},
            "datasets.smears.preprocess.classes: there is no class 'Platelets'; choose from RBC",
        ),
        (
            {"datasets__smears__split__group": "(.*)"},
            "datasets.smears.split.group: '(.*)', but the dataset itself names the group",
        ),
        ({"datasets__smears__split__group": "("}, "datasets.smears.split.group: '(' is no regular"),
        ({"datasets__smears__split__test": 0.8}, "smears: split: 12 images in 6 whole groups"),
        ({"datasets__smears__split__file": "split.csv"}, "split.csv"),
        ({"datasets__smears__layout": "nih"}, "data/raw/smears"),
        (
            {"methods__classification__weighted_bce": {"objective": "dice"}},
            "weighted_bce.objective: dice is for the segmentation study",
        ),
        (
            {"layers__light_cnn__saliency": "stage7"},
            "params.yaml: layers.light_cnn: 'stage7' is no layer with maps",
        ),
    ],
)
def test_single_mistakes(study: Study, changes: dict, sentence: str) -> None:
    study(**changes)
    (found,) = problems()
    assert sentence in found
    assert "\n" not in found


@pytest.mark.parametrize("fraction", [0.05, 1])
def test_a_fraction_that_leaves_no_image_is_told(study: Study, fraction: float) -> None:
    """As for volumes: before anything is prepared."""
    study(study__classification__fractions=[fraction])
    if fraction == 1:
        assert "no problem found" in validate_study()
    else:
        (sentence,) = problems()
        assert sentence == (
            "params.yaml: study.classification.fractions: 0.05 of smears's pool of 4 images leaves "
            "no training image; raise it or enlarge the pool"
        )


@pytest.mark.parametrize("by", ["file", "official"])
def test_a_split_without_validation_images_is_told(study: Study, by: str) -> None:
    study(datasets__smears__split__validation=0, datasets__smears__split__test=0.25)
    sides = ["test"] * 4 + ["train"] * 8
    if by == "file":
        rows = [f"im_{n:02d},{side.replace('train', 'pool')}" for n, side in enumerate(sides)]
        (RAW / "split.csv").write_text("\n".join(["case,split", *rows]))
        study(datasets__smears__split__file="split.csv")
    else:

        def edit(content: Any) -> None:
            for image, side in zip(content["images"], sides, strict=True):
                image["split"] = side

        spoil(edit)
    (sentence,) = problems()
    assert sentence.startswith("params.yaml: datasets.smears.split.validation: thresholds and")


def test_images_without_any_region_are_told(study: Study) -> None:
    def edit(content: Any) -> None:
        for annotation in content["annotations"]:
            del annotation["bbox"]

    spoil(edit)
    assert problems() == [
        "smears: no image has a box or mask, so there is nothing to look for inside the networks; "
        "add some to the dataset"
    ]


def test_real_images_have_no_problem(study: Study, real_data: Path) -> None:
    RAW.rename("elsewhere")
    RAW.symlink_to(real_data / "bccd_tiles_96px")
    assert "no problem found" in validate_study()
    study(datasets__smears__preprocess__classes=["Platelets", "WBC"])
    assert "no problem found" in validate_study()


def test_classes_without_boxes_are_noted(study: Study) -> None:
    assert "no image has a box or mask of" not in validate_study()
    read = read_collection("coco", RAW, "smears")
    without = read.classes[0]

    def own(entry: ImageEntry) -> ImageEntry:
        return replace(entry, regions=tuple(each for each in entry.regions if each.label))

    labelled = replace(read, images=tuple(map(own, read.images)))
    (note,) = _classes_without_regions("smears", labelled)
    assert f"smears: no image has a box or mask of {without}: AUROC and AP" in note
