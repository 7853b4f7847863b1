from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rarelens.components.regularisers.augmentation import Augmentation, Strength, augment

NOTHING = Strength(0, 0, (), 0, 0, 0, 0)


@pytest.fixture
def batch() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Four patches with blobs of classes 1 to 3; channel 0 shows the labels."""
    rng = np.random.default_rng(0)
    labels = np.zeros((4, 20, 20, 20), np.int64)
    for patch in labels:
        for label in (1, 2, 3):
            x, y, z = rng.integers(3, 12, 3)
            patch[x : x + 5, y : y + 6, z : z + 4] = label
    noise = rng.normal(size=labels.shape)
    return np.stack([labels, noise], 1).astype(np.float32), labels


def test_labels_follow_the_image_when_mirrored(batch) -> None:
    images, labels = batch
    strength = Strength(0, 0, (0, 2), 0, 0, 0, 0)
    seen = set()
    for seed in range(4):
        new_images, new_labels = augment(images, labels, strength, np.random.default_rng(seed))
        np.testing.assert_array_equal(new_images[:, 0], new_labels)
        for i in range(4):
            for axes in ((), (0,), (2,), (0, 2)):
                if np.array_equal(new_images[i], np.flip(images[i], [a + 1 for a in axes])):
                    seen.add(axes)
    assert seen == {(), (0,), (2,), (0, 2)}


def test_labels_follow_the_image_when_turned() -> None:
    labels = np.zeros((6, 24, 24, 24), np.int64)
    labels[:, 13:19, 4:10, 14:18] = 3
    images = labels[:, None].astype(np.float32)
    strength = Strength(30, 0.2, (), 0, 0, 0, 0)
    new_images, new_labels = augment(images, labels, strength, np.random.default_rng(1))
    assert new_labels.dtype == np.int64
    assert set(np.unique(new_labels)) == {0, 3}
    for i in range(6):
        moved = centre(new_images[i, 0]) - centre(images[i, 0])
        assert np.linalg.norm(moved) > 0.5
        np.testing.assert_allclose(centre(new_images[i, 0]), centre(new_labels[i]), atol=0.15)
        assert new_images[i].sum() == pytest.approx(new_labels[i].sum(), rel=0.1)


def centre(blob: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.array([np.average(axis, weights=blob) for axis in np.indices(blob.shape)])


def test_intensity_changes_leave_the_labels(batch) -> None:
    images, labels = batch
    strength = Strength(0, 0, (), 0.1, 0.1, 0.2, 0.3)
    new_images, new_labels = augment(images, labels, strength, np.random.default_rng(1))
    np.testing.assert_array_equal(new_labels, labels)
    assert (new_images != images).mean() > 0.99
    assert new_images.dtype == np.float32


@pytest.mark.parametrize(
    ("strength", "holds"),
    [
        (Strength(0, 0, (), 0, 0.5, 0, 0), lambda old, new: np.ptp(new - old) < 1e-5),
        (Strength(0, 0, (), 0, 0, 0.5, 0), lambda old, new: np.ptp(new[2:] / old[2:]) < 1e-4),
    ],
    ids=["brightness adds", "contrast multiplies"],
)
def test_what_intensity_changes_are(batch, strength: Strength, holds) -> None:
    images, labels = batch
    new, _ = augment(images, labels, strength, np.random.default_rng(1))
    for i in range(4):
        old_voxels, new_voxels = images[i, 1].ravel(), new[i, 1].ravel()
        assert holds(old_voxels, new_voxels)
        assert np.abs(new_voxels - old_voxels).max() > 0.01


def test_largest_changes_are_kept(batch) -> None:
    images, labels = batch
    for seed in range(8):
        rng = np.random.default_rng(seed)
        new, _ = augment(images, labels, Strength(0, 0, (), 0, 0.5, 0, 0), rng)
        assert np.abs(new - images).max() <= 0.5 + 1e-6


def test_no_strength_changes_nothing(batch) -> None:
    new_images, new_labels = augment(*batch, NOTHING, np.random.default_rng(1))
    np.testing.assert_array_equal(new_images, batch[0])
    np.testing.assert_array_equal(new_labels, batch[1])


def test_patches_not_chosen_are_untouched_and_do_not_change_the_others(batch) -> None:
    images, labels = batch
    before = images.copy(), labels.copy()
    chosen = np.array([True, False, False, True])
    some = augment(images, labels, Strength(), np.random.default_rng(1), chosen)
    every = augment(images, labels, Strength(), np.random.default_rng(1))
    for old, new, new_all in zip(batch, some, every, strict=True):
        np.testing.assert_array_equal(new[~chosen], old[~chosen])
        np.testing.assert_array_equal(new[chosen], new_all[chosen])
        assert all(not np.array_equal(new[i], old[i]) for i in (0, 3))
    for old, kept in zip(batch, before, strict=True):
        np.testing.assert_array_equal(old, kept)


def test_same_generator_same_patches(batch) -> None:
    a, b, c = (augment(*batch, Strength(), np.random.default_rng(s))[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_asymmetric_form_augments_patches_centred_on_rare_classes(batch) -> None:
    images, labels = batch
    centres = np.array([3, -1, 1, 2])
    asymmetric = Augmentation(rare_classes=[2, 3])
    new_images, _ = asymmetric.prepare(images, labels, centres, np.random.default_rng(1))
    changed = [not np.array_equal(new_images[i], images[i]) for i in range(4)]
    assert changed == [True, False, False, True]
    symmetric = Augmentation()
    every, _ = symmetric.prepare(images, labels, centres, np.random.default_rng(1))
    np.testing.assert_array_equal(every[[0, 3]], new_images[[0, 3]])
    assert all(not np.array_equal(every[i], images[i]) for i in range(4))


def test_weak_augmentation_of_the_others_is_weaker(batch) -> None:
    images, labels = batch
    centres = np.array([3, -1, 1, 2])
    options = {"rotation": 0.0, "scaling": 0.0, "noise": 0.0, "gamma": 0.0, "contrast": 0.0}
    weak = Augmentation(**options, brightness=1.0, weak=0.1, rare_classes=[2, 3])
    new, _ = weak.prepare(images, labels, centres, np.random.default_rng(3))
    change = np.abs(new - images).reshape(4, -1).max(1)
    assert (change[1:3] > 0).all()
    assert (change[1:3] <= 0.1 + 1e-6).all()
    assert change[[0, 3]].max() > 0.1


def test_empty_rare_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="no patch would be augmented"):
        Augmentation(rare_classes=[])
