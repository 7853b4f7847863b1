from __future__ import annotations

import gzip

import numpy as np
import pytest

from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.segmentation.collection import AFFINE_TOLERANCE
from rarelens.studies.data.segmentation.problems import find_problems


@pytest.fixture
def maker(make_dataset):
    maker = make_dataset(cases=3)
    maker.msd()
    return maker


def problem(maker, layout="msd") -> str:
    """The one problem of the dataset."""
    problems = find_problems(read_collection(layout, maker.folder, "tiny"))
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize("layout", ["msd", "nnunet"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sound_data_have_no_problems(make_dataset, layout, channels):
    maker = make_dataset(channels=channels)
    folder = getattr(maker, layout)()
    assert find_problems(read_collection(layout, folder, "tiny")) == []


@pytest.mark.parametrize("part", ["imagesTr", "labelsTr"])
@pytest.mark.parametrize("left", [0, 0.1, 0.5, 0.9])
def test_truncated_file_is_named(maker, part, left):
    file = maker.folder / part / "s1.nii.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(left * len(whole))])
    told = problem(maker)
    assert told.startswith(f"s1: {file}: not readable as NIfTI")


def test_truncated_content_of_a_sound_gzip_file_is_named(maker):
    file = maker.folder / "imagesTr" / "s0.nii.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-100]))
    assert problem(maker).startswith(f"s0: {file}: not readable as NIfTI")


def test_file_of_another_kind_is_named(maker):
    file = maker.folder / "labelsTr" / "s2.nii.gz"
    file.write_text("a page that says: please log in")
    assert problem(maker).startswith(f"s2: {file}: not readable as NIfTI")


@pytest.mark.parametrize("seed", range(25))
def test_damaged_header_never_escapes_as_another_error(maker, seed):
    file = maker.folder / "imagesTr" / "s0.nii.gz"
    rng = np.random.default_rng(seed)
    content = bytearray(gzip.decompress(file.read_bytes()))
    for place in rng.integers(0, 120, 12):
        content[place] = rng.integers(256)
    file.write_bytes(gzip.compress(bytes(content)))
    told = find_problems(read_collection("msd", maker.folder, "tiny"))
    assert all(sentence.startswith("s0: ") for sentence in told)


def test_shape_mismatch_is_named(maker):
    file = maker.save("labelsTr/s1.nii.gz", np.ones((9, 8, 6), np.uint8))
    told = problem(maker)
    assert told.startswith(f"s1: {file}: shape (9, 8, 6) differs from (9, 8, 7) of its image")
    assert "imagesTr/s1.nii.gz" in told


@pytest.mark.parametrize(("shift", "found"), [(0.5, 0), (2.0, 1)])
def test_affine_tolerance_is_in_mm(maker, shift, found):
    affine = maker.grid.copy()
    affine[1, 3] += shift * AFFINE_TOLERANCE
    file = maker.save("labelsTr/s1.nii.gz", maker.arrays(1)[1], affine)
    problems = find_problems(read_collection("msd", maker.folder, "tiny"))
    assert len(problems) == found
    if found:
        assert problems[0].startswith(f"s1: {file}: affine differs by up to 0.002 mm")


def test_affine_that_drifts_away_from_the_origin_is_found(maker):
    affine = np.diag([1 + 0.5 * AFFINE_TOLERANCE, 1, 1, 1])
    maker.save("labelsTr/s1.nii.gz", maker.arrays(1)[1], affine)
    assert "affine differs by up to 0.004 mm" in problem(maker)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_named(maker, value):
    image = maker.arrays(2)[0][0]
    image[3, 3, 3:5] = value
    file = maker.save("imagesTr/s2.nii.gz", image)
    assert problem(maker) == f"s2: {file}: 2 voxels are NaN or infinite; replace them"


def test_undeclared_label_values_are_named(maker):
    labels = maker.arrays(0)[1]
    labels[0, 0, :2] = 3, 200
    file = maker.save("labelsTr/s0.nii.gz", labels)
    assert problem(maker).startswith(f"s0: {file}: label values 3, 200 are not declared")


@pytest.mark.parametrize(
    ("value", "shown"), [(0.5, "0.5"), (-1, "-1"), (np.nan, "nan"), (1e9, "1e+09")]
)
def test_labels_that_are_no_whole_numbers_are_named(maker, value, shown):
    labels = maker.arrays(0)[1].astype(np.float32)
    labels[0, 0, 0] = value
    file = maker.save("labelsTr/s0.nii.gz", labels)
    assert problem(maker).startswith(f"s0: {file}: label values {shown} are no whole numbers")


def test_labels_stored_as_floats_are_accepted(maker):
    maker.save("labelsTr/s0.nii.gz", maker.arrays(0)[1].astype(np.float64))
    assert find_problems(read_collection("msd", maker.folder, "tiny")) == []


def test_empty_foreground_is_named(maker):
    file = maker.save("labelsTr/s1.nii.gz", np.zeros(maker.shape, np.uint8))
    assert problem(maker).startswith(f"s1: {file}: empty foreground")


@pytest.mark.parametrize("affine", [np.diag([1.0, 0, 1, 1]), np.diag([1.0, np.nan, 1, 1])])
def test_singular_affine_is_named(maker, affine):
    file = maker.folder / "imagesTr" / "s1.nii.gz"
    content = bytearray(gzip.decompress(file.read_bytes()))
    content[280:328] = affine[:3].astype("<f4").tobytes()  # srow_x, srow_y, srow_z
    file.write_bytes(gzip.compress(bytes(content)))
    assert problem(maker).startswith(f"s1: {file}: its affine is singular")


def test_label_of_four_dimensions_is_named(maker):
    file = maker.save("labelsTr/s1.nii.gz", np.ones((*maker.shape, 2), np.uint8))
    assert problem(maker).startswith(f"s1: {file}: a label map of shape (9, 8, 7, 2)")


def test_wrong_number_of_channels_in_one_file_is_named(make_dataset):
    maker = make_dataset(channels=2)
    maker.msd()
    file = maker.save("imagesTr/s1.nii.gz", np.ones((*maker.shape, 3), np.float32))
    assert problem(maker) == (
        f"s1: {file}: 3 channels, but dataset.json declares 2; correct one of them"
    )


def test_channel_files_on_different_grids_are_named(make_dataset):
    maker = make_dataset(channels=3)
    maker.nnunet()
    shape = maker.save("imagesTr/s1_0001.nii.gz", np.ones((9, 8, 8), np.float32))
    affine = maker.save("imagesTr/s1_0002.nii.gz", maker.arrays(1)[0][2], np.diag([2.0, 1, 1, 1]))
    problems = find_problems(read_collection("nnunet", maker.folder, "tiny"))
    assert len(problems) == 2
    assert problems[0].startswith(f"s1: {shape}: shape (9, 8, 8) differs from (9, 8, 7) of channel")
    assert problems[1].startswith(f"s1: {affine}: affine differs by up to 8 mm")


def test_all_problems_of_all_cases_are_told_at_once(maker):
    image = maker.arrays(0)[0][0]
    image[0, 0, 0] = np.nan
    maker.save("imagesTr/s0.nii.gz", image)
    maker.save("labelsTr/s0.nii.gz", np.zeros(maker.shape, np.uint8))
    (maker.folder / "imagesTr" / "s2.nii.gz").write_bytes(b"")
    problems = find_problems(read_collection("msd", maker.folder, "tiny"))
    assert [sentence.split(":")[0] for sentence in problems] == ["s0", "s0", "s2"]


def test_real_hippocampus_has_no_problems(real_data):
    collection = read_collection("msd", real_data / "Task04_Hippocampus", "hippocampus")
    assert find_problems(collection) == []
