"""The NIH layout with its quirks, as in the release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import ImageCollection
from rarelens.studies.data.layout import read_collection

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
ROWS = {
    "00000001_000.png": "Cardiomegaly|Hernia,0,1,57,M,PA,2682,2749,0.143,0.143,",
    "00000001_001.png": "No Finding,1,1,58,M,PA,2894,2729,0.143,0.143,",
    "00000002_000.png": "Infiltration,0,2,80,M,PA,2500,2048,0.171,0.171,",
}


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    rows = [f"{image},{rest}" for image, rest in ROWS.items()]
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text("\n".join([HEADER, *rows]))
    (tmp_path / "BBox_List_2017.csv").write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
        "00000002_000.png,Infiltrate,237.3,465.9,230.8,328.3\n"
    )
    (tmp_path / "train_val_list.txt").write_text("00000001_000.png\n00000001_001.png")
    (tmp_path / "test_list.txt").write_text("00000002_000.png\n00009999_000.png")
    for number, image in enumerate(ROWS):
        folder = tmp_path / f"images_00{number}/images"
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / image)
        (folder / f"._{image}").write_bytes(b"")
    return tmp_path


def read(folder: Path) -> ImageCollection:
    return read_collection("nih", folder, "x")


def test_labels_groups_and_lists(nih: Path) -> None:
    found = read(nih)
    assert len(found.classes) == 14
    positive = [
        [name for name, value in zip(found.classes, entry.labels, strict=True) if value]
        for entry in found.images
    ]
    assert positive == [["Cardiomegaly", "Hernia"], [], ["Infiltration"]]
    assert [entry.image for entry in found.images] == [name[:-4] for name in ROWS]
    assert [entry.group for entry in found.images] == ["1", "1", "2"]
    assert [entry.official for entry in found.images] == ["train", "train", "test"]


def test_box_is_in_pixels_of_the_release(nih: Path) -> None:
    (region,) = read(nih).images[2].regions
    assert region.box == (237.3, 465.9, 230.8, 328.3)
    assert region.frame == (1024, 1024)
    assert read(nih).classes[region.label] == "Infiltration"


def test_boxes_and_lists_may_be_absent(nih: Path) -> None:
    for name in ("BBox_List_2017.csv", "train_val_list.txt", "test_list.txt"):
        (nih / name).unlink()
    found = read(nih)
    assert {entry.official for entry in found.images} == {None}
    assert not any(entry.regions for entry in found.images)


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("Data_Entry_2017_v2020.csv", "|Hernia", "|Hernai", "line 2: .*'Hernai' is not declared"),
        ("Data_Entry_2017_v2020.csv", "0,2,80", "0,,80", "line 4: .*no Patient ID"),
        ("Data_Entry_2017_v2020.csv", "Patient ID", "Patient", "no column 'Patient ID'"),
        ("Data_Entry_2017_v2020.csv", "1_001.png", "1_000.png", "00000001_000 is listed twice"),
        ("Data_Entry_2017_v2020.csv", "1_001.png", "1_009.png", "1_009.png: no such file"),
        ("BBox_List_2017.csv", "2_000", "3_000", "line 2: image 00000003_000.png is not listed"),
        ("BBox_List_2017.csv", "Infiltrate", "Blob", "line 2: .*'Blob' is not declared"),
        ("BBox_List_2017.csv", "465.9", "high", "line 2: .*holds no numbers"),
        ("BBox_List_2017.csv", ",328.3", "", "line 2: 5 cells, 6 are needed"),
        ("test_list.txt", "00009999", "00000001", "in train_val_list.txt and test_list.txt"),
    ],
)
def test_wrong_tables_are_told(nih: Path, name: str, old: str, new: str, said: str) -> None:
    replace(nih / name, old, new)
    with pytest.raises(RarelensError, match=said):
        read(nih)


def test_missing_and_doubled_files_are_told(nih: Path) -> None:
    with pytest.raises(RarelensError, match=r"no Data_Entry_2017\*\.csv"):
        read(nih / "images_000")
    copy = nih / "images_007/00000002_000.png"
    copy.parent.mkdir()
    copy.write_bytes(b"")
    with pytest.raises(RarelensError, match=r"images_007.*another image of that name"):
        read(nih)
