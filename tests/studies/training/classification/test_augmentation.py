from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rarelens.studies.training.classification.augmentation import augment
from rarelens.studies.training.classification.job import ClassificationJob

MakeJob = Callable[..., ClassificationJob]
OFF = {"flip_horizontal": False, "flip_vertical": False, "shift": 0.0, "intensity": 0.0}


def images(number: int = 40) -> np.ndarray:
    return np.random.default_rng([3]).normal(size=(number, 2, 6, 8)).astype(np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng([5])


def test_nothing_switched_on_changes_nothing(make_classification: MakeJob) -> None:
    assert np.array_equal(augment(images(), make_classification(**OFF).settings, rng()), images())


@pytest.mark.parametrize(("key", "axis"), [("flip_horizontal", 2), ("flip_vertical", 1)])
def test_about_half_of_the_images_are_mirrored(
    make_classification: MakeJob, key: str, axis: int
) -> None:
    changed = augment(images(), make_classification(**OFF | {key: True}).settings, rng())
    mirrored = [np.array_equal(a, np.flip(b, axis)) for a, b in zip(changed, images(), strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(changed, images(), strict=True)]
    assert 10 < sum(mirrored) < 30
    assert sum(mirrored) + sum(same) == 40


def test_images_are_shifted_by_whole_pixels_up_to_the_share(make_classification: MakeJob) -> None:
    changed = augment(images(), make_classification(**OFF | {"shift": 0.25}).settings, rng())
    shifts = set()
    for after, before in zip(changed, images(), strict=True):
        found = [
            (down, right)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if np.array_equal(after, shifted(before, down, right))
        ]
        assert len(found) == 1
        shifts.add(found[0])
    # A quarter of 6 × 8, rounded to even: two pixels down and right.
    assert {abs(down) for down, _ in shifts} <= {0, 1, 2}
    assert {right for _, right in shifts} == {-2, -1, 0, 1, 2}


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    padded = np.pad(image, ((0, 0), (3, 3), (3, 3)))
    return padded[:, 3 - down : 9 - down, 3 - right : 11 - right]


def test_intensity_is_a_line_of_small_slope_and_offset(make_classification: MakeJob) -> None:
    changed = augment(images(), make_classification(**OFF | {"intensity": 0.2}).settings, rng())
    fits = [np.polyfit(b.ravel(), a.ravel(), 1) for a, b in zip(changed, images(), strict=True)]
    slopes, offsets = np.transpose(fits)
    for values, centre in ((slopes, 1), (offsets, 0)):
        assert np.abs(values - centre).max() <= 0.2 + 1e-6
        assert np.ptp(values) > 0.2


def test_one_change_does_not_alter_the_others(make_classification: MakeJob) -> None:
    flips = augment(images(), make_classification(**OFF | {"flip_vertical": True}).settings, rng())
    both = augment(
        images(),
        make_classification(**OFF | {"flip_vertical": True, "intensity": 0.1}).settings,
        rng(),
    )
    fits = [
        np.polyfit(a.ravel(), b.ravel(), 1, full=True) for a, b in zip(flips, both, strict=True)
    ]
    assert max(float(residual[1][0]) for residual in fits) < 1e-6
