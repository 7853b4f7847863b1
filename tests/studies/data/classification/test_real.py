"""The real sets, prepared whole, against independent readings of their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.data.classification.preprocessing import prepare_images
from rarelens.studies.settings.classification.datasets import (
    ImageDataset,
    ImagePreprocess,
    ImageSplit,
)

Settings = Callable[..., ImagePreprocess]
Split = Callable[..., ImageSplit]


@pytest.fixture(scope="module")
def blood(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory, settings: Settings, split: Split
) -> PreparedImages:
    target = tmp_path_factory.mktemp("blood")
    wanted = settings(image_size=(48, 48), channels="rgb")
    sides = split(test=0.3, validation=0.1)
    prepare_images("blood", "coco", real_data / "bccd_tiles_96px", target, wanted, sides)
    return PreparedImages(target)


@pytest.fixture(scope="module")
def chest(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory, settings: Settings, split: Split
) -> PreparedImages:
    target = tmp_path_factory.mktemp("chest")
    sides = split(test=0.3, validation=0.1)
    folder = real_data / "nih_chestxray14_64px"
    prepare_images("chest", "nih", folder, target, settings(image_size=(32, 32)), sides)
    return PreparedImages(target)


def test_blood_labels_are_the_categories_of_the_file(
    blood: PreparedImages, real_data: Path
) -> None:
    content = json.loads((real_data / "bccd_tiles_96px/annotations.json").read_text())
    names = {image["id"]: image["file_name"][:-4] for image in content["images"]}
    found = pd.DataFrame(content["annotations"])
    present = pd.crosstab(found["image_id"].map(names), found["category_id"]) > 0
    expected = present.reindex(sorted(names.values()), fill_value=False)
    np.testing.assert_array_equal(blood.labels(range(len(blood.table))), expected)
    assert len(blood.boxes) == len(found) == 3463
    assert len(blood.concepts) == present.to_numpy().sum()


def test_blood_is_split_by_smear_with_rare_cells_on_each_side(blood: PreparedImages) -> None:
    sides = blood.table[["group", "split"]].drop_duplicates()
    assert sides["group"].is_unique
    assert len(sides) == 182
    shares = blood.table["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.3, abs=0.01)
    assert shares["validation"] == pytest.approx(0.1, abs=0.01)
    overall = blood.labels(range(len(blood.table))).mean(axis=0)
    for side in ("pool", "validation", "test"):
        np.testing.assert_allclose(blood.labels(blood.rows(side)).mean(axis=0), overall, rtol=0.3)


def test_blood_boxes_are_halved(blood: PreparedImages, real_data: Path) -> None:
    content = json.loads((real_data / "bccd_tiles_96px/annotations.json").read_text())
    names = {image["id"]: image["file_name"][:-4] for image in content["images"]}
    rows = blood.table["row"].to_dict()
    expected = sorted(
        (rows[names[a["image_id"]]], a["category_id"] - 1, *(value / 2 for value in a["bbox"]))
        for a in content["annotations"]
    )
    found = sorted(blood.boxes.itertuples(index=False, name=None))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_blood_concepts_cover_their_boxes(blood: PreparedImages) -> None:
    single = blood.boxes.groupby(["row", "class"]).filter(lambda boxes: len(boxes) == 1)
    merged = blood.concepts.merge(single, on=["row", "class"])
    area = merged["width"] * merged["height"] / 48**2
    margin = (merged["width"] + merged["height"]) / 48**2  # half a pixel along each edge
    assert (abs(merged["area"] - area) <= margin).all()


def test_chest_labels_patients_and_lists(chest: PreparedImages, real_data: Path) -> None:
    folder = real_data / "nih_chestxray14_64px"
    table = pd.read_csv(folder / "Data_Entry_2017.csv").sort_values("Image Index")
    expected = table["Finding Labels"].str.get_dummies("|").drop(columns="No Finding")
    np.testing.assert_array_equal(
        chest.labels(range(len(chest.table))), expected[list(chest.classes)]
    )
    assert chest.table["group"].tolist() == table["Patient ID"].astype(str).tolist()
    listed = set((folder / "test_list.txt").read_text().split("\n"))
    in_test = {f"{image}.png" for image in chest.table.index[chest.table["split"] == "test"]}
    assert in_test == listed
    assert chest.table[["group", "split"]].drop_duplicates()["group"].is_unique
    assert (chest.table["split"] == "validation").mean() == pytest.approx(0.1, abs=0.05)


def test_chest_boxes_shrink_from_1024_pixels(chest: PreparedImages, real_data: Path) -> None:
    file = real_data / "nih_chestxray14_64px/BBox_List_2017.csv"
    given = pd.read_csv(file, header=None, skiprows=1, usecols=range(6))
    given = given.assign(row=[int(chest.table.loc[name[:-4], "row"]) for name in given[0]])
    given = given.sort_values("row")
    found = chest.boxes.sort_values("row")
    assert found["row"].tolist() == given["row"].tolist()
    np.testing.assert_allclose(found[["x", "y", "width", "height"]], given[[2, 3, 4, 5]] / 32)
    names = [chest.classes[label] for label in found["class"]]
    assert names == given[1].replace("Infiltrate", "Infiltration").tolist()


def test_chest_pixels_are_those_of_the_file(chest: PreparedImages, real_data: Path) -> None:
    for image in ("00000005_000", "00000278_007"):
        stored = Image.open(real_data / f"nih_chestxray14_64px/images/{image}.png")
        expected = np.asarray(stored.resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
        row = int(chest.table.loc[image, "row"])
        assert np.abs(chest.raw(row)[0].astype(int) - expected).max() <= 1


# Images, patients or series, and images of each class.
FINDINGS = {
    "emidec_findings": ("emidec_findings_128px", 365, 51, (202, 66)),
    "ich_ct": ("ich_ct_256px", 178, 25, (74, 17, 9, 7, 30)),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_findings_are_prepared_by_the_repository_s_parameters(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    folder, images, groups, counts = FINDINGS[name]
    own = read_parameters(Path(__file__).parents[4] / "params.yaml").datasets[name]
    assert isinstance(own, ImageDataset)
    raw = real_data / folder
    prepare_images(name, own.layout, raw, tmp_path, own.preprocess, own.split)
    data = PreparedImages(tmp_path)
    assert (len(data.table), len(set(data.groups.values()))) == (images, groups)
    assert tuple(data.labels(range(images)).sum(axis=0)) == counts
    content = json.loads((raw / "annotations.json").read_text())
    named = {image["file_name"].removesuffix(".png"): image["group"] for image in content["images"]}
    assert data.groups == named
    sides = data.table[["group", "split"]].drop_duplicates()
    assert sides["group"].is_unique
    shares = data.table["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(own.split.test, abs=0.15)
    assert shares["validation"] == pytest.approx(own.split.validation, abs=0.02)
    assert data.labels(data.rows("pool")).sum(axis=0).min() > 0
    kinds = {"emidec_findings": {"mask"}, "ich_ct": {"box"}}
    assert set(data.concepts["source"]) == kinds[name]
