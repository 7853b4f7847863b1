"""The MedMNIST layout: multi-label and single-label files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import ImageCollection
from rarelens.studies.data.layout import read_collection

RNG = np.random.default_rng([6])
SIZES = {"train": 6, "val": 3, "test": 4}


def arrays(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part, count in SIZES.items():
        found[f"{part}_images"] = RNG.integers(0, 256, (count, 8, 8), np.uint8)
        found[f"{part}_labels"] = RNG.integers(0, 2, (count, 4))
    return found | changes


def read(folder: Path, **content: Any) -> ImageCollection:
    np.savez_compressed(folder / "somemnist.npz", **content)
    return read_collection("medmnist", folder, "x")


def test_multi_label(tmp_path: Path) -> None:
    content = arrays()
    found = read(tmp_path, **content)
    assert found.classes == ("class_0", "class_1", "class_2", "class_3")
    ids = [entry.image for entry in found.images]
    assert ids == sorted(ids)
    entry = found.images[ids.index("val_000002")]
    assert entry.labels == tuple(content["val_labels"][2])
    assert (entry.source.member, entry.source.row) == ("val_images", 2)
    assert (entry.official, entry.group) == ("validation", None)


def test_single_label_becomes_one_class_each(tmp_path: Path) -> None:
    labels = {f"{part}_labels": np.arange(count)[:, None] % 3 for part, count in SIZES.items()}
    found = read(tmp_path, **arrays(**labels))
    assert len(found.classes) == 3
    by_id = {entry.image: entry.labels for entry in found.images}
    assert by_id["train_000004"] == (0, 1, 0)


def test_colour_is_accepted(tmp_path: Path) -> None:
    colour = {f"{part}_images": np.zeros((n, 8, 8, 3), np.uint8) for part, n in SIZES.items()}
    assert len(read(tmp_path, **arrays(**colour)).images) == 13


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"val_images": np.zeros((3, 8, 8, 8), np.uint8)}, r"val_images is uint8 of shape \(3, 8"),
        ({"val_images": np.zeros((3, 8, 8), np.float32)}, "val_images is float32"),
        ({"val_labels": np.zeros((2, 4), int)}, r"val_labels is of shape \(2, 4\)"),
        ({"val_labels": np.zeros((3, 4))}, "of whole numbers"),
        ({"val_labels": np.zeros((3, 2), int)}, r"labels have \[2, 4\] columns"),
        ({"val_labels": np.full((3, 4), 2)}, r"val_000000: .*\[2, 2, 2, 2\] is not of 0 and 1"),
        (
            {f"{part}_labels": np.full((count, 1), -1) for part, count in SIZES.items()},
            r"label \[-1\] is no class",
        ),
    ],
)
def test_wrong_arrays_are_told(tmp_path: Path, changes: Any, said: str) -> None:
    with pytest.raises(RarelensError, match=said):
        read(tmp_path, **arrays(**changes))


def test_missing_array_and_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match="there is no npz file"):
        read_collection("medmnist", tmp_path, "x")
    content = arrays()
    del content["test_labels"]
    with pytest.raises(RarelensError, match="there is no array test_labels"):
        read(tmp_path, **content)
