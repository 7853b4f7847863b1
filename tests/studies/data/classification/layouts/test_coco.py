"""The COCO layout reads what is declared, and says what is not."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import ImageCollection
from rarelens.studies.data.layout import read_collection


def read(coco: Any) -> ImageCollection:
    return read_collection("coco", coco.folder, "x")


def test_labels_are_the_categories_present(coco: Any) -> None:
    found = read(coco)
    assert found.classes == ("mass", "nodule")
    assert [entry.image for entry in found.images] == [f"im_{n}" for n in range(8)]
    labels = {entry.image: entry.labels for entry in found.images if any(entry.labels)}
    assert labels == {"im_0": (1, 0), "im_2": (1, 0), "im_4": (0, 1)}
    assert [len(entry.regions) for entry in found.images] == [1, 0, 1, 0, 2, 0, 0, 0]
    assert found.images[4].group == "p2"
    assert found.images[0].regions[0].box == (4, 6, 8, 12)


def test_polygons_run_lengths_and_crowds_are_regions(coco: Any) -> None:
    outlines: list[Any] = [
        [[1, 1, 5, 1, 5, 5]],
        {"size": [24, 32], "counts": [0, 768]},
        {"size": [24, 32], "counts": "abc"},
    ]
    for number, outline in enumerate(outlines):
        coco.annotate(id=90 + number, segmentation=outline, iscrowd=int(number > 0))
    assert [region.outline for region in read(coco).images[1].regions] == outlines


def test_annotation_without_region_is_a_label(coco: Any) -> None:
    coco.annotate(segmentation=[])
    entry = read(coco).images[1]
    assert entry.labels == (1, 0)
    assert entry.regions == ()


def test_images_may_lie_beside_the_file_and_in_folders(coco: Any) -> None:
    (coco.folder / "deep").mkdir()
    (coco.folder / "images/im_3.png").rename(coco.folder / "deep/im_3.png")
    (coco.folder / "images/im_4.png").rename(coco.folder / "im_4.png")
    (coco.folder / "images/sub").mkdir()
    (coco.folder / "images/im_5.png").rename(coco.folder / "images/sub/im_4.png")
    for number, path in ((3, "deep/im_3.png"), (5, "sub/im_4.png")):
        coco.content["images"][number]["file_name"] = path
    coco.save()
    files = {entry.image: entry.source.file for entry in read(coco).images}
    assert files["deep/im_3"] == coco.folder / "deep/im_3.png"
    assert files["im_4"] == coco.folder / "im_4.png"
    assert files["sub/im_4"] == coco.folder / "images/sub/im_4.png"


def test_only_other_json_serves_as_well(coco: Any) -> None:
    (coco.folder / "annotations").mkdir()
    coco.file.rename(coco.folder / "annotations/instances.json")
    assert len(read(coco).images) == 8
    (coco.folder / "more.json").write_text("{}")
    with pytest.raises(RarelensError, match=r"more than one annotations\.json or other JSON"):
        read(coco)


def test_split_key_is_an_official_list(coco: Any) -> None:
    for number, side in ((0, "train"), (1, "validation"), (2, "test")):
        coco.content["images"][number]["split"] = side
    coco.save()
    found = read(coco)
    assert [entry.official for entry in found.images[:4]] == ["train", "validation", "test", None]
    assert found.lists["test"] == "annotations.json (split: test)"


GONE = object()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("images.1.id", 0, "annotations.json: images: id 0 is listed twice; keep one"),
        ("annotations.1.id", 1, "annotations: id 1 is listed twice"),
        ("categories.1.name", "mass", "categories: name mass is listed twice"),
        ("images.1.file_name", "im_0.png", "im_0 is the file name of more than one image"),
        ("annotations.0.image_id", 77, "annotation 1: image 77 is not listed; list or remove it"),
        ("annotations.0.category_id", 77, "annotation 1: category 77 is not declared"),
        ("images.1.file_name", "lost.png", "lost.png: no such file"),
        ("images.1.group", GONE, "image 1: no group, though others have one"),
        ("images.1.file_name", "../x.png", "'../x.png' is outside the dataset's folder"),
        ("images.1.split", "rest", "images.1.split: Input should be 'train', 'validation' or"),
        ("images.1.width", GONE, "images.1.width: missing"),
        ("annotations.0.bbox", [1, 2, 3], "annotations.0.bbox: missing"),
        ("categories", [], "categories: List should have at least 1 item"),
    ],
)
def test_wrong_description_is_told(coco: Any, key: str, value: Any, said: str) -> None:
    place, steps = coco.content, [int(k) if k.isdigit() else k for k in key.split(".")]
    for step in steps[:-1]:
        place = place[step]
    if value is GONE:
        del place[steps[-1]]
    else:
        place[steps[-1]] = value
    coco.save()
    with pytest.raises(RarelensError) as error:
        read(coco)
    assert said in str(error.value)
    assert str(coco.folder) in str(error.value)


def test_many_problems_of_a_kind_are_cut_short(coco: Any) -> None:
    for number in range(50):
        coco.annotate(id=100 + number, image_id=1000 + number)
    with pytest.raises(RarelensError) as error:
        read(coco)
    assert len(error.value.problems) == 21
    assert error.value.problems[-1].startswith("… and 30 more")


def test_no_json_is_told(coco: Any) -> None:
    coco.file.write_text(json.dumps(coco.content)[:-9])
    with pytest.raises(RarelensError, match="not readable as JSON"):
        read(coco)
    coco.file.unlink()
    with pytest.raises(RarelensError, match=r"there is no annotations\.json"):
        read(coco)


def test_numbers_that_are_none_are_left_to_the_checks(coco: Any) -> None:
    coco.annotate(bbox=[1.0, math.nan, 2.0, 3.0])
    assert math.isnan(read(coco).images[1].regions[0].box[1])
