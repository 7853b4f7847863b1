"""Boxes, polygons and run lengths, against hand-made masks and pycocotools' encoder."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from rarelens.studies.data.classification.collection import Region
from rarelens.studies.data.classification.regions import (
    outline_area,
    region_problem,
    resize_region,
    run_lengths,
)
from rarelens.studies.data.classification.resizing import Resizing

SIZE = (32, 24)
SAME = Resizing(32, 24, 32, 24, 0, 0)


def runs(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's uncompressed run lengths: column by column, starting with those outside."""
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, len(flat)]).tolist()
    return {"size": list(mask.shape), "counts": [0, *lengths] if flat[0] else lengths}


def compressed(mask: NDArray[np.bool_]) -> dict[str, Any]:
    found = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": found["counts"].decode()}


def random_mask(seed: int) -> NDArray[np.bool_]:
    return np.random.default_rng([seed]).random((24, 32)) < 0.3


@pytest.mark.parametrize("seed", range(4))
def test_both_kinds_of_run_lengths_give_the_mask_they_encode(seed: int) -> None:
    mask = random_mask(seed)
    for outline in (runs(mask), compressed(mask)):
        region = Region(0, "a", outline=outline)
        assert region_problem(region, SIZE) is None
        assert outline_area(outline) == mask.sum()
        np.testing.assert_array_equal(resize_region(region, (24, 32), SAME)[1], mask)


@pytest.mark.parametrize("seed", range(3))
def test_compressed_run_lengths_are_read_as_they_were_written(seed: int) -> None:
    mask = np.repeat(random_mask(seed), 40, axis=0)  # runs long enough for several characters
    assert run_lengths(compressed(mask)["counts"]) == runs(mask)["counts"]


def test_mask_gets_its_bounding_box() -> None:
    mask = np.zeros((24, 32), bool)
    mask[3:7, 10:21] = True
    box, _ = resize_region(Region(0, "a", outline=runs(mask)), (24, 32), SAME)
    assert box == (10, 3, 11, 4)


def test_box_on_whole_pixels_covers_just_these() -> None:
    box, mask = resize_region(Region(0, "a", (4, 6, 8, 12)), (24, 32), SAME)
    expected = np.zeros((24, 32), bool)
    expected[6:18, 4:12] = True
    np.testing.assert_array_equal(mask, expected)
    assert box == (4, 6, 8, 12)


def test_pixel_belongs_to_a_box_that_covers_half_of_it() -> None:
    # Columns: .5 of pixel 3, all of 4, .4 of pixel 5.
    _, mask = resize_region(Region(0, "a", (3.5, 2, 1.9, 1)), (24, 32), SAME)
    assert np.argwhere(mask).tolist() == [[2, 3], [2, 4]]


def test_box_follows_scale_and_padding() -> None:
    # Twice as wide, half as high, 5 to the right, 2 down.
    resizing = Resizing(32, 24, 64, 12, 5, 2)
    box, mask = resize_region(Region(0, "a", (4, 6, 8, 12)), (20, 80), resizing)
    assert box == (13, 5, 16, 6)
    expected = np.zeros((20, 80), bool)
    expected[5:11, 13:29] = True
    np.testing.assert_array_equal(mask, expected)


def test_frame_of_another_size_is_scaled_to_the_image() -> None:
    region = Region(0, "a", (256.0, 512.0, 128.0, 64.0), frame=(1024, 1024))
    box, _ = resize_region(region, (64, 64), Resizing(64, 64, 64, 64, 0, 0))
    assert box == (16, 32, 8, 4)


def test_shrunken_mask_keeps_pixels_of_which_half_is_covered() -> None:
    mask = random_mask(9)
    _, small = resize_region(
        Region(0, "a", outline=runs(mask)), (12, 8), Resizing(32, 24, 8, 12, 0, 0)
    )
    shares = mask.reshape(12, 2, 8, 4).mean(axis=(1, 3))
    np.testing.assert_array_equal(small, shares >= 0.5)


def test_region_too_small_for_half_a_pixel_keeps_the_one_that_has_most_of_it() -> None:
    resizing = Resizing(32, 24, 4, 3, 0, 0)
    for region in (
        Region(0, "a", (15.0, 9.0, 3.0, 2.0)),
        Region(0, "a", outline=[[15.0, 9.0, 18.0, 9.0, 18.0, 11.0, 15.0, 11.0]]),
    ):
        _, mask = resize_region(region, (3, 4), resizing)
        assert np.argwhere(mask).tolist() == [[1, 2]]


def test_polygon_smaller_than_a_pixel_is_not_lost() -> None:
    region = Region(0, "a", outline=[[5.1, 7.1, 5.2, 7.1, 5.2, 7.2]])
    assert region_problem(region, SIZE) is None
    assert np.argwhere(resize_region(region, (24, 32), SAME)[1]).tolist() == [[7, 5]]


def test_polygons_of_one_annotation_are_united() -> None:
    square = [2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]
    other = [20.0, 10.0, 24.0, 10.0, 24.0, 14.0, 20.0, 14.0]
    _, mask = resize_region(Region(0, "a", outline=[square, other]), (24, 32), SAME)
    expected = np.zeros((24, 32), bool)
    expected[2:6, 2:6] = expected[10:14, 20:24] = True
    np.testing.assert_array_equal(mask, expected)


def test_overhang_of_a_pixel_is_clipped() -> None:
    region = Region(0, "a", (-1.0, -0.5, 10.0, 25.4))
    assert region_problem(region, SIZE) is None
    assert resize_region(region, (24, 32), SAME)[0] == (0, 0, 9, 24)


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((-1.1, 0, 5, 5), "box [-1.1, 0, 5, 5] lies partly outside the image of 32 × 24 pixels"),
        ((30, 0, 4, 5), "lies partly outside"),
        ((0, 20, 4, 5.5), "lies partly outside"),
        ((40, 0, 4, 4), "lies wholly outside"),
        ((32, 0, 0.5, 4), "lies wholly outside"),
        ((3, 3, 0, 4), "has no area"),
        ((3, 3, 4, -1), "has no area"),
        ((3, math.nan, 4, 1), "no numbers"),
        ((3, 1, math.inf, 1), "no numbers"),
    ],
)
def test_impossible_box_is_refused(box: tuple[float, ...], said: str) -> None:
    assert said in str(region_problem(Region(0, "a", box), SIZE))


@pytest.mark.parametrize(
    ("outline", "said"),
    [
        ([[1, 1, 5, 5]], "no list of polygons"),
        ([[1, 1, 5, 5, 3, 3, 2]], "no list of polygons"),
        ([1, 1, 5, 5, 3, 3], "no list of polygons"),
        ([["a", 1, 5, 5, 3, 3]], "no list of polygons"),
        ([[1, 1, 5, 5, math.nan, 3]], "no list of polygons"),
        ([[1, 1, 40, 5, 3, 9]], "outside the image of 32 × 24"),
        ([[1, 1, 2, 2, 3, 3]], "has no area"),
        ({"size": [24, 32], "counts": [3, 4]}, "cover 7 pixels, not 32 × 24"),
        ({"size": [24, 32], "counts": [768, -1, 1]}, "write them anew"),
        ({"size": [24, 32], "counts": [768]}, "mask is empty"),
        ({"size": [24, 32], "counts": "11"}, "write them anew"),
        ({"size": [24, 32], "counts": "é☃"}, "no COCO RLE"),
        ({"size": [24, 32], "counts": "P"}, "no COCO RLE"),
        ({"counts": [768]}, "no COCO RLE"),
        ({"size": [2, 2], "counts": [1, 3]}, "mask is of 2 × 2 pixels, the image of 32 × 24"),
    ],
)
def test_impossible_outline_is_refused(outline: Any, said: str) -> None:
    assert said in str(region_problem(Region(0, "a", outline=outline), SIZE))
