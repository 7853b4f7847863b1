"""What the parameters settle of a collection: uncertain labels and classes to keep."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import (
    ImageCollection,
    ImageEntry,
    Region,
    Source,
    choose_labels,
    prepared_bytes,
)
from rarelens.studies.settings.classification.datasets import ImagePreprocess

Settings = Callable[..., ImagePreprocess]


@pytest.fixture
def collection() -> ImageCollection:
    regions = (Region(0, "r0", (0, 0, 1, 1)), Region(2, "r2", (0, 0, 2, 2)))
    entry = ImageEntry("i", Source(Path("i.png")), (1.0, math.nan, 0.0), regions)
    return ImageCollection("x", Path("raw"), ("a", "b", "c"), (entry,), {})


def test_classes_are_kept_in_the_order_wanted(
    collection: ImageCollection, settings: Settings
) -> None:
    found = choose_labels(collection, settings(classes=("c", "a")))
    assert found.classes == ("c", "a")
    assert found.images[0].labels == (0, 1)
    assert [(region.label, region.where) for region in found.images[0].regions] == [
        (1, "r0"),
        (0, "r2"),
    ]
    assert len(choose_labels(collection, settings(classes=("b",))).images[0].regions) == 0


@pytest.mark.parametrize(("uncertain", "value"), [("zeros", 0.0), ("ones", 1.0)])
def test_uncertain_labels_become_what_is_asked(
    collection: ImageCollection, settings: Settings, uncertain: str, value: float
) -> None:
    assert choose_labels(collection, settings(uncertain=uncertain)).images[0].labels == (
        1,
        value,
        0,
    )


def test_uncertain_labels_may_be_ignored(collection: ImageCollection, settings: Settings) -> None:
    assert math.isnan(choose_labels(collection, settings(uncertain="ignore")).images[0].labels[1])


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("a", "d"), "there is no class 'd'; choose from a, b, c"),
        (("a", "a"), "a is named twice"),
        ((), "no class is named"),
    ],
)
def test_impossible_choice_of_classes_is_refused(
    collection: ImageCollection, settings: Settings, classes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(RarelensError, match=said):
        choose_labels(collection, settings(classes=classes))


def test_bytes_count_images_and_concepts(collection: ImageCollection, settings: Settings) -> None:
    # 10 × 20 pixels: three channels of two bytes, and two concepts of one byte.
    wanted = settings(image_size=(10, 20), channels="rgb", dtype="uint16")
    assert prepared_bytes(collection, wanted) == 10 * 20 * (3 * 2 + 2)
