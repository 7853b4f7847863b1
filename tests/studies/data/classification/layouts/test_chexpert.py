"""The CheXpert layout, with CheXlocalize's masks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import ImageCollection
from rarelens.studies.data.classification.layouts.chexpert import CLASSES
from rarelens.studies.data.layout import read_collection

HEADER = ",".join(["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *CLASSES])
TRAIN = "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg"
SAME_PATIENT = "CheXpert-v1.0-small/train/patient00001/study2/view2_lateral.jpg"
VALID = "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg"


def row(path: str, **labels: str) -> str:
    cells = [labels.get(name.replace(" ", "_"), "") for name in CLASSES]
    return ",".join([path, "Female", "68", "Frontal", "AP", *cells])


def outline(mask: np.ndarray) -> dict[str, Any]:
    found = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": found["counts"].decode()}


@pytest.fixture
def chexpert(tmp_path: Path) -> Path:
    home = tmp_path / "CheXpert-v1.0-small"
    train = [
        row(TRAIN, No_Finding="1.0", Edema="-1.0", Pneumonia="0.0"),
        row(SAME_PATIENT, Lung_Opacity="1.0"),
    ]
    home.mkdir()
    (home / "train.csv").write_text("\n".join([HEADER, *train]))
    (home / "valid.csv").write_text("\n".join([HEADER, row(VALID, Cardiomegaly="1.0")]))
    for path in (TRAIN, SAME_PATIENT, VALID):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((32, 39), np.uint8)).save(tmp_path / path)
    return tmp_path


def read(folder: Path) -> ImageCollection:
    return read_collection("chexpert", folder, "x")


def labels(found: ImageCollection, image: str) -> dict[str, float]:
    entry = next(entry for entry in found.images if entry.image == image)
    return dict(zip(found.classes, entry.labels, strict=True))


def test_labels_patients_and_lists(chexpert: Path) -> None:
    found = read(chexpert)
    first = labels(found, "patient00001_study1_view1_frontal")
    assert first["No Finding"] == 1
    assert math.isnan(first["Edema"])
    assert (first["Pneumonia"], first["Fracture"]) == (0, 0)
    assert labels(found, "patient00001_study2_view2_lateral")["Lung Opacity"] == 1
    assert [entry.group for entry in found.images] == ["patient00001"] * 2 + ["patient64541"]
    assert [entry.official for entry in found.images] == ["train", "train", "validation"]


def test_the_folder_may_be_the_release_itself(chexpert: Path) -> None:
    found = read(chexpert / "CheXpert-v1.0-small")
    assert len(found.images) == 3
    assert all(entry.source.file.is_file() for entry in found.images)


def test_masks_belong_to_their_findings_and_empty_ones_are_left_out(chexpert: Path) -> None:
    mask = np.zeros((320, 390), bool)
    mask[100:200, 50:90] = True
    masks = {"Airspace Opacity": outline(mask), "Edema": outline(np.zeros((320, 390), bool))}
    (chexpert / "gt_segmentations_val.json").write_text(
        json.dumps({"patient64541_study1_view1_frontal": masks})
    )
    found = read(chexpert)
    (region,) = found.images[2].regions
    assert found.classes[region.label] == "Lung Opacity"
    assert region.frame == (390, 320)


def test_wrong_masks_are_told(chexpert: Path) -> None:
    good = outline(np.ones((3, 3), bool))
    content = {
        "patient64541_study1_view1_frontal": {"Blob": good, "Edema": {"size": [3, 3]}},
        "patient9_study1_view1_frontal": {"Edema": good},
    }
    (chexpert / "gt_segmentations_val.json").write_text(json.dumps(content))
    with pytest.raises(RarelensError) as error:
        read(chexpert)
    text = str(error.value)
    assert "gt_segmentations_val.json: Blob: patient64541_study1_view1_frontal: not a find" in text
    assert "Edema: patient64541_study1_view1_frontal: its run lengths are no COCO RLE" in text
    assert "image patient9_study1_view1_frontal is not listed" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("-1.0", "2.0", "Edema is '2.0'; choose from 1, 0, -1 and blank"),
        ("patient00001/study2", "somebody/study2", "line 3: .*names no patient"),
        ("view2_lateral", "view3_lateral", "view3_lateral.jpg: no such file"),
        ("study2/view2_lateral", "study1/view1_frontal", "listed twice"),
        ("Fracture", "Break", "no column 'Fracture'"),
        ("CheXpert-v1.0-small/train/patient00001/study2", "/x/patient00001/study2", "/x/.*outside"),
        ("CheXpert-v1.0-small/train/patient00001/study2", "../patient00001/s", "line 3: .*outside"),
    ],
)
def test_wrong_tables_are_told(chexpert: Path, old: str, new: str, said: str) -> None:
    file = chexpert / "CheXpert-v1.0-small/train.csv"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(RarelensError, match=said):
        read(chexpert)


def test_folder_without_tables_is_told(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match=r"no image is listed in train\.csv, valid\.csv"):
        read(tmp_path)
