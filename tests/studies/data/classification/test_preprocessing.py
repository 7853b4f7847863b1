"""A small COCO folder, prepared; and all that may be wrong with it, told before any writing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.data.classification.preprocessing import prepare_images
from rarelens.studies.data.classification.problems import find_image_problems
from rarelens.studies.data.layout import read_collection
from rarelens.studies.settings.classification.datasets import ImagePreprocess, ImageSplit

Settings = Callable[..., ImagePreprocess]
Split = Callable[..., ImageSplit]
Prepare = Callable[..., PreparedImages]


@pytest.fixture
def prepare(tmp_path: Path, settings: Settings, split: Split) -> Prepare:
    """Prepares a folder; keys of split as ``split={…}``, all others are of preprocess."""

    def run(
        folder: Path, layout: str = "coco", name: str = "out", **changes: Any
    ) -> PreparedImages:
        sides = split(**changes.pop("split", {}))
        target = tmp_path / name
        target.mkdir()
        prepare_images("x", layout, folder, target, settings(**changes), sides)
        return PreparedImages(target)

    return run


def test_tables_hold_what_the_layout_says(coco: Any, prepare: Prepare) -> None:
    found = prepare(coco.folder, image_size=(12, 16))
    assert (found.name, found.classes, found.channels, found.size) == (
        "x", ("mass", "nodule"), 1, (12, 16),
    )  # fmt: skip
    table = found.table
    assert table.index.tolist() == [f"im_{n}" for n in range(8)]
    assert table["row"].tolist() == list(range(8))
    assert table["group"].tolist() == [f"p{n // 2}" for n in range(8)]
    assert table["split"].value_counts().to_dict() == {"pool": 4, "test": 2, "validation": 2}
    assert (table[["width", "height"]] == (32, 24)).all(axis=None)
    assert (table[["scale_x", "scale_y", "left", "top"]] == (0.5, 0.5, 0, 0)).all(axis=None)
    expected = np.zeros((8, 2))
    expected[[0, 2], 0] = expected[4, 1] = 1
    np.testing.assert_array_equal(found.labels(range(8)), expected)
    assert sorted(np.concatenate([found.rows(s) for s in ("pool", "test", "validation")])) == (
        list(range(8))
    )


def test_boxes_and_concepts_are_in_prepared_pixels(coco: Any, prepare: Prepare) -> None:
    found = prepare(coco.folder, image_size=(12, 16))
    assert found.boxes.to_numpy().tolist() == [
        [0, 0, 2, 3, 4, 6],
        [2, 0, 0, 0, 16, 12],
        [4, 1, 5, 5, 2, 2],
        [4, 1, 10, 5, 2, 2],
    ]
    concepts = found.concepts
    assert concepts[["row", "class"]].to_numpy().tolist() == [[0, 0], [2, 0], [4, 1]]
    assert concepts["area"].tolist() == [24 / 192, 1, 8 / 192]
    assert set(concepts["source"]) == {"box"}
    union = np.zeros((12, 16), bool)
    union[5:7, 5:7] = union[5:7, 10:12] = True
    np.testing.assert_array_equal(found.masks([2, 0])[0], union)


def test_masks_are_preferred_to_their_boxes(coco: Any, prepare: Prepare) -> None:
    triangle = [[8.0, 4.0, 24.0, 4.0, 24.0, 20.0]]
    coco.annotate(segmentation=triangle, bbox=[8.0, 4.0, 16.0, 16.0])
    coco.annotate(id=10, image_id=0, segmentation=triangle)
    found = prepare(coco.folder, image_size=(24, 32))
    assert found.concepts["source"].tolist() == ["box", "mask", "box", "box"]
    mask = found.masks([1])[0]
    assert mask.sum() == pytest.approx(16 * 16 / 2, rel=0.07)
    assert mask[5, 22]
    assert not mask[18, 9]
    # The box of the mask's pixels: pycocotools leaves out those that the edge cuts in half.
    (box,) = found.boxes.query("row == 1")[["x", "y", "width", "height"]].to_numpy()
    across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    assert box.tolist() == [across[0], down[0], np.ptp(across) + 1, np.ptp(down) + 1]
    np.testing.assert_allclose(box, [8, 4, 16, 16], atol=1)


def test_images_are_normalised_by_the_pool_alone(coco: Any, prepare: Prepare) -> None:
    found = prepare(coco.folder, image_size=(24, 32))
    for image in found.table.index:
        row = int(found.table.loc[image, "row"])
        stored = np.asarray(Image.open(coco.folder / f"images/{image}.png"))
        np.testing.assert_array_equal(found.raw(row)[0], stored)
        digest = hashlib.sha256(stored.tobytes()).hexdigest()[:16]
        assert found.table.loc[image, "digest"] == digest
    pool = np.stack([found.raw(int(row)) for row in found.rows("pool")]) / 255
    assert found.mean == (pytest.approx(pool.mean(), abs=1e-12),)
    assert found.std == (pytest.approx(pool.std(), abs=1e-12),)
    rows = [5, 0, 3]
    expected = (np.stack([found.raw(row) for row in rows]) / 255 - pool.mean()) / pool.std()
    images = found.images(rows)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_sizes_may_differ_and_padding_is_followed(coco: Any, prepare: Prepare) -> None:
    Image.fromarray(np.full((40, 20), 200, np.uint8)).save(coco.folder / "images/im_0.png")
    coco.content["images"][0] |= {"width": 20, "height": 40}
    coco.save()
    found = prepare(coco.folder, image_size=(20, 20), resize="pad")
    row = found.table.loc["im_0"]
    assert row[["left", "top", "scale_x", "scale_y"]].tolist() == [5, 0, 0.5, 0.5]
    assert not found.raw(0)[0, :, :5].any()
    assert found.boxes.iloc[0].tolist() == [0, 0, 7, 3, 4, 6]
    mask = found.masks([0])[0]
    assert np.argwhere(mask).min(axis=0).tolist() == [3, 7]
    assert mask.sum() == 24


def test_same_input_gives_the_same_bytes(coco: Any, prepare: Prepare) -> None:
    first, second = (prepare(coco.folder, name=name) for name in ("one", "two"))
    files = sorted(file.name for file in first.folder.iterdir())
    assert files == sorted(file.name for file in second.folder.iterdir())
    for file in files:
        assert (first.folder / file).read_bytes() == (second.folder / file).read_bytes(), file
    assert first.digest() == second.digest()


def test_digest_tells_another_mask_of_the_same_area(coco: Any, prepare: Prepare) -> None:
    square = np.zeros((24, 32), int)
    square[4:8, 4:8] = 1
    digests = []
    for name, corner in (("one", (4, 4)), ("two", (4, 5))):
        mask = square.copy()
        mask[corner] = 0
        flat = mask.ravel(order="F")
        edges = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
        lengths = np.diff(edges).tolist()
        coco.content["annotations"][0]["segmentation"] = {"size": [24, 32], "counts": lengths}
        coco.save()
        digests.append(prepare(coco.folder, name=name, image_size=(24, 32)).digest())
    assert digests[0] != digests[1]


def test_dataset_without_any_region(coco: Any, prepare: Prepare) -> None:
    for annotation in coco.content["annotations"]:
        del annotation["bbox"]
    coco.save()
    found = prepare(coco.folder)
    assert len(found.concepts) == len(found.boxes) == 0
    assert found.masks([]).shape == (0, 16, 16)
    assert found.labels(range(8)).sum() == 3


def test_unused_images_are_left_out(coco: Any, prepare: Prepare) -> None:
    sides = ["unused", "pool", "test", "pool"]
    lines = [f"im_{n},{sides[n // 2]}" for n in range(8)]
    (coco.folder / "split.csv").write_text("\n".join(["case,split", *lines]))
    found = prepare(coco.folder, split={"file": "split.csv"})
    assert found.table.index.tolist() == [f"im_{n}" for n in range(2, 8)]
    assert found.concepts["row"].tolist() == [0, 2]


def test_npz_rows_are_prepared(tmp_path: Path, prepare: Prepare) -> None:
    rng = np.random.default_rng([2])
    content = {}
    for part, count in (("train", 30), ("val", 10), ("test", 5)):
        content[f"{part}_images"] = rng.integers(0, 256, (count, 16, 16), np.uint8)
        content[f"{part}_labels"] = rng.integers(0, 2, (count, 2))
    (tmp_path / "raw").mkdir()
    np.savez_compressed(tmp_path / "raw/a.npz", **content)
    found = prepare(tmp_path / "raw", "medmnist")
    assert found.table["split"].value_counts().to_dict() == {
        "pool": 30, "validation": 10, "test": 5,
    }  # fmt: skip
    row = int(found.table.loc["val_000007", "row"])
    np.testing.assert_array_equal(found.raw(row)[0], content["val_images"][7])
    np.testing.assert_array_equal(found.labels([row])[0], content["val_labels"][7])


def write_truncated(coco: Any) -> None:
    file = coco.folder / "images/im_3.png"
    file.write_bytes(file.read_bytes()[:-100])


def write_other_size(coco: Any) -> None:
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(coco.folder / "images/im_3.png")


PROBLEMS: list[tuple[Callable[[Any], None], str]] = [
    (
        lambda coco: coco.annotate(bbox=[20.0, 3.0, 14.0, 3.0]),
        "im_1: {file}: annotation 9: box [20, 3, 14, 3] lies partly outside the image of 32 × 24",
    ),
    (
        lambda coco: coco.annotate(bbox=[3.0, 3.0, 0.0, 3.0]),
        "im_1: {file}: annotation 9: box [3, 3, 0, 3] has no area; correct or remove it",
    ),
    (
        lambda coco: coco.annotate(segmentation={"size": [24, 32], "counts": [9]}),
        "im_1: {file}: annotation 9: its run lengths cover 9 pixels, not 32 × 24",
    ),
    (write_truncated, "im_3: {folder}/images/im_3.png: not readable as an image"),
    (
        write_other_size,
        "im_3: {folder}/images/im_3.png: 12 × 10 pixels, but 32 × 24 are declared",
    ),
    (
        lambda coco: coco.content["categories"].append({"id": 30, "name": "hernia"}),
        "{folder}: no image has class hernia; add some, or leave the class out with "
        "datasets.x.preprocess.classes",
    ),
    (
        lambda coco: coco.content.update(images=[], annotations=[]),
        "{folder}: x: no image; add some",
    ),
]


@pytest.mark.parametrize(("spoil", "said"), PROBLEMS)
def test_each_problem_is_told_and_nothing_is_written(
    coco: Any, prepare: Prepare, tmp_path: Path, spoil: Callable[[Any], None], said: str
) -> None:
    spoil(coco)
    coco.save()
    said = said.format(file=coco.file, folder=coco.folder)
    problems = find_image_problems(read_collection("coco", coco.folder, "x"))
    assert len(problems) == 1
    assert problems[0].startswith(said)
    with pytest.raises(RarelensError) as error:
        prepare(coco.folder)
    assert problems[0] in error.value.problems
    assert list((tmp_path / "out").iterdir()) == []


def test_problems_of_files_and_split_are_told_at_once(coco: Any, prepare: Prepare) -> None:
    write_truncated(coco)
    for number, side in ((0, "train"), (1, "test")):
        coco.content["images"][number]["split"] = side
    coco.save()
    with pytest.raises(RarelensError) as error:
        prepare(coco.folder)
    first, second = error.value.problems
    assert "im_3" in first
    assert "group p0 is in annotations.json (split: test) and annotations.json (split: tr" in second


def test_class_that_is_never_present_may_be_left_out(coco: Any, prepare: Prepare) -> None:
    coco.content["categories"].insert(0, {"id": 30, "name": "hernia"})
    coco.save()
    found = prepare(coco.folder, classes=("nodule", "mass"))
    assert found.classes == ("nodule", "mass")
    assert found.labels([0, 4]).tolist() == [[0, 1], [1, 0]]


def test_sound_folder_has_no_problem(coco: Any) -> None:
    assert find_image_problems(read_collection("coco", coco.folder, "x")) == []


def test_pool_without_contrast_is_refused(coco: Any, prepare: Prepare) -> None:
    for number in range(8):
        Image.fromarray(np.full((24, 32), 9, np.uint8)).save(
            coco.folder / f"images/im_{number}.png"
        )
    with pytest.raises(RarelensError, match="all pixels of the training pool have one value"):
        prepare(coco.folder)


def test_folder_without_prepared_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match="no prepared dataset; run `dvc repro` first"):
        PreparedImages(tmp_path)


def test_a_class_that_a_side_lacks_is_warned_of(
    coco: Any, prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    data = prepare(coco.folder)
    sides = {side: data.labels(data.rows(side)) == 1 for side in ("test", "validation", "pool")}
    expected = {
        (side, name)
        for side, positive in sides.items()
        for name, some in zip(data.classes, positive.any(axis=0), strict=True)
        if not some
    }
    assert expected
    said = capsys.readouterr().err
    found = set(re.findall(r"^warning: x: no (\w+) image has class (\w+), ", said, re.MULTILINE))
    assert found == expected


def test_a_changed_pixel_is_noticed(coco: Any, prepare: Prepare) -> None:
    data = prepare(coco.folder)
    pixels = np.lib.format.open_memmap(data.folder / "images.npy", "r+")
    pixels[3, 0, 0, 0] ^= 1
    pixels.flush()
    with pytest.raises(RarelensError, match=rf"{data.table.index[3]}: its arrays are not those"):
        PreparedImages(data.folder)
