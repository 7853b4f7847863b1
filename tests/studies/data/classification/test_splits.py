"""Groups stay whole, official lists are honoured, rare classes are spread, subsets are nested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import ImageCollection, ImageEntry, Source
from rarelens.studies.data.classification.splits import (
    assign_image_splits,
    image_subset,
    ranked_groups,
)
from rarelens.studies.settings.classification.datasets import ImageSplit

Split = Callable[..., ImageSplit]
LISTS = {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"}
FOLDER = Path("raw/x")


def collection(entries: list[dict[str, Any]]) -> ImageCollection:
    images = tuple(
        ImageEntry(**({"labels": (0.0,), "source": Source(Path("a.png"))} | entry))
        for entry in sorted(entries, key=lambda entry: str(entry["image"]))
    )
    return ImageCollection("x", FOLDER, ("a",), images, LISTS)


def cohort(groups: int = 20, each: int = 5, **keys: Any) -> list[dict[str, Any]]:
    return [
        {"image": f"g{g:02d}_{n}", "group": f"g{g:02d}", **keys}
        for g in range(groups)
        for n in range(each)
    ]


def whole(table: pd.DataFrame) -> bool:
    """Whether no group is parted."""
    return table[["group", "split"]].drop_duplicates()["group"].is_unique


def test_shares_of_images_in_whole_groups(split: Split) -> None:
    table = assign_image_splits(collection(cohort()), split(test=0.3, validation=0.1), FOLDER)
    assert table["split"].value_counts().to_dict() == {"pool": 60, "test": 30, "validation": 10}
    assert whole(table)
    assert table["image"].is_monotonic_increasing


def test_draw_depends_on_the_seed_alone(split: Split) -> None:
    def drawn(seed: int) -> list[str]:
        return assign_image_splits(collection(cohort()), split(seed=seed), FOLDER)["split"].tolist()

    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(5)}) > 1


@pytest.mark.parametrize("seed", range(10))
def test_rare_class_of_few_groups_reaches_each_side(split: Split, seed: int) -> None:
    entries = cohort(groups=32)
    for entry in entries:
        entry["labels"] = (float(int(entry["group"][1:]) % 10 == 1),)  # in 4 of 32 groups
    table = assign_image_splits(collection(entries), split(seed=seed), FOLDER)
    rare = (
        table[table["group"].isin(["g01", "g11", "g21", "g31"])].groupby("group")["split"].first()
    )
    assert sorted(rare) == ["pool", "pool", "test", "validation"]


def test_image_without_group_is_its_own(split: Split) -> None:
    entries = [{"image": f"i{n:02d}"} for n in range(8)]
    table = assign_image_splits(collection(entries), split(), FOLDER)
    assert table["group"].tolist() == table["image"].tolist()
    assert (table["split"] == "test").sum() == 2


def test_groups_by_expression(split: Split) -> None:
    entries = [{"image": entry["image"]} for entry in cohort()]
    table = assign_image_splits(collection(entries), split(group="^(g..)_"), FOLDER)
    assert table["group"].nunique() == 20
    assert whole(table)


def test_expression_that_finds_no_group_is_refused(split: Split) -> None:
    entries = [{"image": entry["image"]} for entry in cohort()]
    with pytest.raises(RarelensError, match="finds no group"):
        assign_image_splits(collection(entries), split(group="^(h..)_"), FOLDER)


def test_expression_is_refused_where_the_layout_names_the_patient(split: Split) -> None:
    with pytest.raises(RarelensError, match=r"split\.group: .* set it to null"):
        assign_image_splits(collection(cohort()), split(group="(.*)"), FOLDER)


def test_official_test_list_decides_and_validation_comes_from_the_training_list(
    split: Split,
) -> None:
    entries = cohort()
    for entry in entries:
        entry["official"] = "test" if entry["group"] < "g04" else "train"
    table = assign_image_splits(
        collection(entries), split(test=0.5, validation=0.1), FOLDER
    ).set_index("image")
    assert set(table.loc[table["group"] < "g04", "split"]) == {"test"}
    assert (table["split"] == "test").sum() == 20
    assert (table["split"] == "validation").sum() == 10
    assert whole(table)


def test_official_validation_list_leaves_just_the_test_side_to_draw(split: Split) -> None:
    entries = cohort()
    for entry in entries:
        entry["official"] = "validation" if entry["group"] < "g02" else "train"
    table = assign_image_splits(collection(entries), split(test=0.3), FOLDER)
    assert set(table.loc[table["group"] < "g02", "split"]) == {"validation"}
    assert table["split"].value_counts().to_dict() == {"pool": 60, "test": 30, "validation": 10}


def test_groups_in_no_list_are_drawn_before_the_training_list(split: Split) -> None:
    entries = cohort()
    for entry in entries:
        entry["official"] = "train" if entry["group"] >= "g10" else None
    table = assign_image_splits(collection(entries), split(test=0.3, validation=0.1), FOLDER)
    assert set(table.loc[table["split"] != "pool", "group"]) < {f"g{n:02d}" for n in range(10)}
    assert set(table.loc[table["group"] >= "g10", "split"]) == {"pool"}


def test_group_in_two_lists_is_a_leak_unless_lists_are_put_aside(split: Split) -> None:
    entries = cohort(official="train")
    entries[7]["official"] = "test"
    with pytest.raises(RarelensError, match=r"group g01 is in test\.txt and train\.txt"):
        assign_image_splits(collection(entries), split(), FOLDER)
    table = assign_image_splits(collection(entries), split(official=False), FOLDER)
    assert whole(table)


def test_split_file_decides_instead(split: Split, tmp_path: Path) -> None:
    entries = cohort(groups=4, each=2, official="test")
    sides = ["test", "pool", "validation", "unused"]
    lines = [f"g{g:02d}_{n},{sides[g]}" for g in range(4) for n in range(2)]
    (tmp_path / "split.csv").write_text("\n".join(["case,split", *lines]))
    table = assign_image_splits(collection(entries), split(file="split.csv"), tmp_path)
    assert table["split"].tolist() == [side for side in sides for _ in range(2)]


def test_split_file_that_parts_a_group_is_refused(split: Split, tmp_path: Path) -> None:
    lines = ["g00_0,test", "g00_1,pool", "g01_0,pool", "g01_1,pool"]
    (tmp_path / "split.csv").write_text("\n".join(["case,split", *lines]))
    with pytest.raises(RarelensError, match="group g00 is in pool and test"):
        assign_image_splits(collection(cohort(groups=2, each=2)), split(file="split.csv"), tmp_path)


def test_too_few_groups_are_told(split: Split) -> None:
    with pytest.raises(RarelensError, match="10 images in 2 whole groups leave none for pool"):
        assign_image_splits(collection(cohort(groups=2)), split(), FOLDER)


def test_groups_are_ranked_by_their_rarest_class_then_the_next() -> None:
    # Positives: class 0 in 4 images, class 1 in 1, class 2 in 2.
    labels = np.array(
        [[1, 0, 0], [1, 0, 1], [0, 0, 0], [1, np.nan, 0], [1, 1, 0], [0, 0, 1]], np.float64
    )
    groups = ["a", "b", "c", "a", "d", "e"]
    assert ranked_groups(groups, labels) == ["d", "e", "b", "a", "c"]


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng([4])
    return pd.DataFrame(
        {
            "image": [entry["image"] for entry in cohort(40)],
            "group": [entry["group"] for entry in cohort(40)],
            "split": ["test" if entry["group"] < "g08" else "pool" for entry in cohort(40)],
            "labels": [[float(v) for v in rng.random(2) < (0.3, 0.05)] for _ in range(200)],
        }
    )


def test_subsets_are_nested_whole_and_of_the_pool(table: pd.DataFrame) -> None:
    pool = set(table.loc[table["split"] == "pool", "image"])
    sizes = table.groupby("group")["image"].apply(set)
    for seed in range(3):
        before: set[str] = set()
        for fraction in ("0.1", "0.25", 0.5, 1):
            images = image_subset(table, fraction, seed)
            assert images == sorted(images)
            assert before <= set(images) <= pool
            assert 0 <= len(images) - round(float(fraction) * len(pool)) < 5
            assert all(members <= set(images) or not members & set(images) for members in sizes)
            before = set(images)
        assert before == pool


def test_subset_is_the_same_from_a_table_by_image_and_differs_by_seed(table: pd.DataFrame) -> None:
    assert image_subset(table.set_index("image"), 0.25, 1) == image_subset(table, 0.25, 1)
    assert len({tuple(image_subset(table, 0.25, seed)) for seed in range(4)}) > 1


@pytest.mark.parametrize("seed", range(10))
def test_small_subset_holds_its_share_of_a_rare_class(seed: int) -> None:
    entries = cohort(groups=32, each=2)
    rare = {"g05", "g11", "g17", "g23"}
    table = pd.DataFrame(
        {
            "image": [entry["image"] for entry in entries],
            "group": [entry["group"] for entry in entries],
            "split": "pool",
            "labels": [[float(entry["group"] in rare)] for entry in entries],
        }
    )
    chosen = {image[:3] for image in image_subset(table, 0.25, seed)}
    assert len(chosen) == 8
    assert len(chosen & rare) == 1


def test_fraction_that_leaves_nothing_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(RarelensError, match="leaves no training image"):
        image_subset(table, 0.001, 0)
