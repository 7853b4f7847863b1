from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.processing import resample_from_to
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

from rarelens.studies.data.segmentation.geometry import (
    canonical,
    crop_affine,
    foreground_box,
    resample_labels,
    restore_labels,
    restore_labels_and_logits,
    to_spacing,
)

SHAPE = (20, 17, 13)
OBLIQUE = Rotation.from_euler("xyz", [17, -24, 31], degrees=True).as_matrix()
OFFSET = np.array([[-31.0], [12.5], [7.25]])


def grid(matrix) -> np.ndarray:
    return np.vstack([np.hstack([np.asarray(matrix, float), OFFSET]), [0, 0, 0, 1]])


GRIDS = {
    "RAS": grid(np.eye(3)),
    "LPS": grid(np.diag([-1, -1, 1])),
    "permuted": grid([[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "permuted and flipped": grid([[0, -1.5, 0], [0, 0, 0.8], [-3, 0, 0]]),
    "anisotropic": grid(np.diag([0.5, 0.7, 4])),
    "oblique": grid(OBLIQUE),
    "oblique, permuted, anisotropic": grid(OBLIQUE @ [[0, 0, 5], [-0.9, 0, 0], [0, 0.45, 0]]),
}
each_grid = pytest.mark.parametrize("affine", GRIDS.values(), ids=GRIDS)


def ball(shape, affine, radius, classes=1) -> np.ndarray:
    """Concentric shells about the grid's centre, in mm: class 1 outermost."""
    index = np.moveaxis(np.indices(shape), 0, -1)
    centre = apply_affine(affine, (np.array(shape) - 1) / 2)
    distance = np.linalg.norm(apply_affine(affine, index) - centre, axis=-1)
    return sum((distance < radius * (1 - k / classes)).astype(np.uint8) for k in range(classes))


def one_hot(labels, classes) -> np.ndarray:
    return np.stack([labels == k for k in range(classes)]).astype(np.float32)


def dice(a, b) -> float:
    return 2 * np.sum(a & b) / (np.sum(a) + np.sum(b))


@each_grid
def test_canonical_agrees_with_nibabel(affine):
    volume = np.random.default_rng(0).normal(size=SHAPE)
    expected = nib.as_closest_canonical(nib.Nifti1Image(volume, affine))
    array, moved = canonical(volume[None], affine)
    assert nib.aff2axcodes(moved) == ("R", "A", "S")
    np.testing.assert_array_equal(array[0], expected.get_fdata())
    np.testing.assert_allclose(moved, expected.affine)


@each_grid
def test_spacing_is_met_along_the_same_axes_about_the_same_centre(affine):
    axes, moved = to_spacing(SHAPE, affine, (1.1, 0.6, 2.3))
    np.testing.assert_allclose(voxel_sizes(moved), (1.1, 0.6, 2.3))
    directions = moved[:3, :3] / voxel_sizes(moved)
    np.testing.assert_allclose(directions, affine[:3, :3] / voxel_sizes(affine))
    middle = (np.array(SHAPE) - 1) / 2
    new_middle = (np.array(axes.shape) - 1) / 2
    np.testing.assert_allclose(apply_affine(moved, new_middle), apply_affine(affine, middle))
    extent, old_extent = axes.shape * voxel_sizes(moved), SHAPE * voxel_sizes(affine)
    assert (extent >= old_extent - 1e-6).all()
    assert (extent < old_extent + voxel_sizes(moved)).all()


def test_fields_of_view_by_hand():
    axes, moved = to_spacing((4, 3, 5), np.diag([1.0, 1, 1, 1]), (2, 0.5, 1))
    assert axes.shape == (2, 6, 5)
    # voxels of 2 mm are centred between two of 1 mm; of 0.5 mm, at quarter and three quarters
    np.testing.assert_allclose(moved[:3, 3], (0.5, -0.25, 0))
    line = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((1, 3, 5), np.float32)
    np.testing.assert_allclose(axes.apply(line, "linear")[:, 2, 2], (0.5, 2.5))


@each_grid
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_interpolation_agrees_with_nibabel_inside_the_volume(affine, interpolation):
    volume = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    axes, moved = to_spacing(SHAPE, affine, tuple(0.83 * voxel_sizes(affine)))
    order = {"linear": 1, "cubic": 3}[interpolation]
    expected = resample_from_to(
        nib.Nifti1Image(volume, affine), (axes.shape, moved), order=order, mode="nearest"
    ).get_fdata()
    np.testing.assert_allclose(axes.apply(volume, interpolation), expected, atol=1e-4)


def test_grid_that_has_the_spacing_stays_as_it_is():
    affine = np.diag([1.000001, 2, 0.5, 1])
    axes, moved = to_spacing(SHAPE, affine, (1, 2, 0.5))
    volume = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    assert axes.apply(volume, "cubic") is volume
    np.testing.assert_array_equal(moved, affine)


def test_box_holds_what_is_not_zero_in_any_channel():
    image = np.zeros((2, 10, 10, 10), np.float32)
    image[0, 3, 4, 5] = 1
    image[1, 6, 4, 2] = -1
    assert foreground_box(image, 0) == (slice(3, 7), slice(4, 5), slice(2, 6))
    box = foreground_box(image, 3)
    assert image[(slice(None), *box)].shape == (2, 10, 7, 9)
    assert foreground_box(np.zeros((1, 4, 5, 6)), 0) == (slice(0, 4), slice(0, 5), slice(0, 6))


@each_grid
def test_crop_keeps_voxels_where_they_are(affine):
    moved = crop_affine(affine, (slice(2, 5), slice(1, 9), slice(7, 8)))
    np.testing.assert_allclose(apply_affine(moved, (1, 2, 0)), apply_affine(affine, (3, 3, 7)))


def test_labels_resampled_class_by_class_take_the_largest_share():
    labels = np.zeros((4, 1, 1), np.uint8)
    labels[:, 0, 0] = 0, 7, 7, 3
    axes, _ = to_spacing(labels.shape, np.eye(4), (0.5, 1, 1))
    # centres at -0.25, 0.25, 0.75, …: never equally near to two voxels
    expected = [0, 0, 7, 7, 7, 7, 3, 3]
    for interpolation in ("nearest", "linear"):
        found = resample_labels(labels, axes, interpolation)
        assert found[:, 0, 0].tolist() == expected
        assert found.dtype == np.uint8


@each_grid
@pytest.mark.parametrize("margin", [0, 2, 100])
def test_restored_labels_are_exact_without_resampling(affine, margin):
    rng = np.random.default_rng(2)
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:15, 4:14, 2:9] = rng.integers(0, 4, (12, 10, 7))
    labels[3, 4, 2] = labels[14, 13, 8] = 3
    turned, moved = canonical(labels, affine)
    box = foreground_box(turned[None], margin)
    restored = restore_labels(one_hot(turned[box], 4), crop_affine(moved, box), SHAPE, affine)
    assert restored.dtype == np.uint8
    np.testing.assert_array_equal(restored, labels)


def test_more_than_256_classes_are_kept():
    labels = np.arange(300, dtype=np.uint16).reshape(300, 1, 1)
    affine = GRIDS["LPS"]
    turned, moved = canonical(labels, affine)
    restored = restore_labels(one_hot(turned, 300), moved, labels.shape, affine)
    assert restored.dtype == np.uint16
    np.testing.assert_array_equal(restored, labels)


@each_grid
@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
def test_restored_labels_of_a_resampled_structure_agree_closely(affine, interpolation):
    spacing = np.array(voxel_sizes(affine))
    shape = tuple(int(n) for n in np.round(60 / spacing))
    labels = ball(shape, affine, 28, classes=2)
    turned, moved = canonical(labels, affine)
    axes, moved = to_spacing(turned.shape, moved, (1.7, 1.3, 1.5))
    prepared = resample_labels(turned, axes, interpolation)
    restored = restore_labels(one_hot(prepared, 3), moved, shape, affine)
    assert dice(restored >= 1, labels >= 1) > 0.95
    assert dice(restored == 2, labels == 2) > 0.95


def cropped_and_resampled(affine):
    """A prepared grid of volumes of `SHAPE`: turned, cropped on all sides, at another spacing."""
    turned, moved = canonical(np.zeros(SHAPE), affine)
    moved = crop_affine(moved, (slice(2, None), slice(1, None), slice(3, None)))
    cropped = tuple(n - k - 1 for n, k in zip(turned.shape, (2, 1, 3), strict=True))
    axes, moved = to_spacing(cropped, moved, tuple(1.37 * voxel_sizes(moved)))
    return axes, moved


@each_grid
def test_restored_logits_agree_with_a_general_interpolation(affine):
    """The separable way against scipy's full matrix, with crop, flip and resampling."""
    axes, moved = cropped_and_resampled(affine)
    logits = np.random.default_rng(3).normal(size=(3, *axes.shape)).astype(np.float32)
    own = np.linalg.inv(moved) @ affine
    dense = [
        affine_transform(z, own[:3, :3], own[:3, 3], SHAPE, order=1, mode="nearest") for z in logits
    ]
    index = np.moveaxis(np.indices(SHAPE), 0, -1)
    at = apply_affine(own, index)
    inside = ((at >= -0.5 - 1e-3) & (at <= np.array(axes.shape) - 0.5 + 1e-3)).all(axis=-1)
    restored = restore_labels(logits, moved, SHAPE, affine)
    assert 0 < inside.sum() < inside.size
    assert not restored[~inside].any()
    differing = restored != np.where(inside, np.argmax(dense, axis=0), 0)
    assert differing.mean() < 1e-3  # ties between rounding errors


@each_grid
def test_logits_of_chosen_voxels_are_those_that_decided_the_label_map(affine):
    axes, moved = cropped_and_resampled(affine)
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(3, *axes.shape)).astype(np.float32)
    at = rng.random(SHAPE) < 0.3
    labels, values = restore_labels_and_logits(logits, moved, SHAPE, affine, at)
    np.testing.assert_array_equal(labels, restore_labels(logits, moved, SHAPE, affine))
    known = np.isfinite(values).all(axis=0)
    assert 0 < known.sum() < known.size == at.sum()
    assert np.isnan(values[:, ~known]).all()
    np.testing.assert_array_equal(labels[at], np.where(known, values.argmax(0), 0))


def test_outside_of_the_prepared_field_of_view_is_background():
    logits = np.stack([np.zeros((4, 4, 4)), np.ones((4, 4, 4))])
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = 3.5, 3.5, 3.5  # covers 2.5 … 10.5 mm
    restored = restore_labels(logits, affine, (13, 13, 13), np.eye(4))
    expected = np.zeros((13, 13, 13), np.uint8)
    expected[3:11, 3:11, 3:11] = 1
    np.testing.assert_array_equal(restored, expected)


def test_case_wholly_outside_is_background():
    affine = np.eye(4)
    affine[0, 3] = 100
    restored = restore_labels(np.ones((2, 3, 3, 3)), affine, (3, 3, 3), np.eye(4))
    assert not restored.any()


def test_grids_of_different_axes_are_refused():
    with pytest.raises(ValueError, match="different axes"):
        restore_labels(np.zeros((2, *SHAPE)), GRIDS["RAS"], SHAPE, GRIDS["oblique"])
