from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from folders import digests
from rarelens.errors import RarelensError
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.segmentation.collection import load_images, load_label
from rarelens.studies.data.segmentation.geometry import restore_labels
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.preprocessing import (
    foreground_index,
    prepare_dataset,
    prepare_image,
    prepare_label,
)
from rarelens.studies.settings.segmentation.datasets import Clip, ZScore

LPS_SAGITTAL = np.array([[0, 0, -2.0, 9], [-0.8, 0, 0, 4], [0, 1.5, 0, -7], [0, 0, 0, 1]])
TILTED = LPS_SAGITTAL.copy()
TILTED[:2, :3] = np.array([[0.96, -0.28], [0.28, 0.96]]) @ LPS_SAGITTAL[:2, :3]


def restored(labels, prepared, classes):
    logits = np.stack([labels == k for k in range(classes)]).astype(np.float32)
    return restore_labels(logits, prepared.affine, prepared.source_shape, prepared.source_affine)


@pytest.fixture
def prepare(make_dataset, settings, split, tmp_path):
    """Write a dataset, prepare it, open it."""

    def run(layout="msd", change=None, target="prepared", split_changes=None, **options):
        preprocess = options.pop("preprocess", {})
        maker = make_dataset(**options)
        raw = getattr(maker, layout)()
        if change:
            change(maker)
        folder = tmp_path / target
        folder.mkdir()
        prepare_dataset(
            "tiny", layout, raw, folder, settings(**preprocess), split(**(split_changes or {}))
        )
        return maker, PreparedDataset(folder)

    return run


@pytest.mark.parametrize("layout", ["msd", "nnunet"])
@pytest.mark.parametrize("affine", [np.eye(4), LPS_SAGITTAL, TILTED], ids=["RAS", "LPS", "oblique"])
@pytest.mark.parametrize("crop", [True, False])
def test_prepared_label_goes_back_exactly(make_dataset, settings, layout, affine, crop):
    maker = make_dataset(channels=2, classes=4, affine=affine, cases=1)
    case = read_collection(layout, getattr(maker, layout)(), "tiny").cases[0]
    chosen = settings(crop_foreground=crop)
    prepared = prepare_image(*load_images(case.images), chosen)
    assert nib.aff2axcodes(prepared.affine) == ("R", "A", "S")
    assert prepared.array.shape[0] == 2
    labels = prepare_label(load_label(case.label)[0], prepared, chosen)
    assert labels.shape == prepared.array.shape[1:]
    np.testing.assert_array_equal(restored(labels, prepared, 4), maker.arrays(0)[1])


def test_image_and_label_stay_together_through_crop_turn_and_resampling(make_dataset, settings):
    maker = make_dataset(shape=(40, 36, 30), affine=TILTED, cases=1)
    maker.msd()
    image = np.zeros(maker.shape, np.float32)
    image[8:30, 6:28, 5:25] = 10
    image[14:26, 12:24, 10:20] = 30
    labels = (image == 30).astype(np.uint8)
    files = maker.save("imagesTr/s0.nii.gz", image), maker.save("labelsTr/s0.nii.gz", labels)
    ct = (Clip(method="clip", lower=0, upper=40),)
    chosen = settings(spacing=(1.1, 1.1, 1.1), crop_margin=1, intensity=ct)
    prepared = prepare_image(*load_images(files[:1]), chosen)
    label = prepare_label(load_label(files[1])[0], prepared, chosen)
    bright = prepared.array[0] > 0.5  # above 20
    dice = 2 * np.sum(bright & (label == 1)) / (bright.sum() + label.sum())
    assert dice > 0.97
    back = restored(label, prepared, 2)
    assert back.shape == labels.shape
    assert 2 * np.sum(back & labels) / (back.sum() + labels.sum()) > 0.95


def test_crop_margin_is_in_own_voxels_and_zero_background_stays_zero(make_dataset, settings):
    maker = make_dataset(cases=1)
    maker.msd()
    image = np.zeros(maker.shape, np.float32)
    image[3:6, 2:5, 4] = np.arange(1, 10).reshape(3, 3)
    file = maker.save("imagesTr/s0.nii.gz", image)
    prepared = prepare_image(*load_images((file,)), settings(crop_margin=1, dtype="float16"))
    assert prepared.array.shape == (1, 5, 5, 3)
    assert prepared.array.dtype == np.float16
    np.testing.assert_array_equal(prepared.affine[:3, 3], (2, 1, 3))
    assert not prepared.array[0, 0].any()
    assert prepared.array[0, 3, 3, 1] == pytest.approx(4 / np.sqrt(60 / 9), rel=1e-3)


def test_unlabelled_image_with_nan_is_named(make_dataset, settings):
    maker = make_dataset(cases=1)
    file = maker.save("new.nii.gz", np.full(maker.shape, np.nan, np.float32))
    with pytest.raises(RarelensError, match=r"new\.nii\.gz: 504 voxels are NaN"):
        prepare_image(*load_images((file,)), settings())


def test_foreground_index_is_grouped_by_class():
    labels = np.array([[[2, 0, 1], [1, 2, 0]]], np.uint8)
    found = foreground_index(labels)
    assert found.tolist() == [2, 3, 0, 4]
    assert found.dtype == np.int32


@pytest.mark.parametrize("layout", ["msd", "nnunet"])
def test_prepared_dataset_holds_all_that_training_needs(prepare, layout):
    maker, data = prepare(layout, channels=2, classes=4, affine=LPS_SAGITTAL)
    assert (data.name, data.spacing) == ("tiny", None)
    assert data.channels == ("channel0", "channel1")
    assert data.classes == ("background", "class1", "class2", "class3")
    assert [len(data.cases(side)) for side in ("test", "validation", "pool")] == [2, 1, 3]
    for number in range(6):
        case = f"s{number}"
        row = data.table.loc[case]
        image, label, inside = data.image(case), data.label(case), data.foreground(case)
        assert all(isinstance(array, np.memmap) for array in (image, label, inside))
        assert not image.flags.writeable
        assert image.shape == (2, *row["shape"])
        assert (image.dtype, label.dtype, inside.dtype) == (np.float32, np.uint8, np.int32)
        assert np.bincount(label.ravel(), minlength=4).tolist() == row["voxels"].tolist()
        np.testing.assert_allclose(row["spacing"], (2, 0.8, 1.5))
        ends = np.cumsum(row["voxels"][1:])
        for k, part in enumerate(np.split(inside, ends[:-1]), start=1):
            assert (label.ravel()[part] == k).all()
            assert (np.diff(part) > 0).all()
        reference = nib.load(data.folder / "references" / f"{case}.nii.gz")
        own = nib.load(maker.folder / "labelsTr" / f"{case}.nii.gz")
        assert reference.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(reference.dataobj, own.dataobj)
        np.testing.assert_array_equal(reference.affine, own.affine)
        assert tuple(row["source_shape"]) == own.shape
        np.testing.assert_array_equal(np.reshape(row["source_affine"], (4, 4)), own.affine)


def test_spacing_and_type_are_recorded(prepare):
    _, data = prepare(preprocess={"spacing": (2.0, 1.0, 0.5), "dtype": "float16"})
    assert data.spacing == (2, 1, 0.5)
    assert data.image("s0").dtype == np.float16
    np.testing.assert_allclose(np.stack(data.table["spacing"]), [(2, 1, 0.5)] * 6)
    description = json.loads((data.folder / "dataset.json").read_text())
    assert description["dtype"] == "float16"


def test_4d_files_and_channel_files_give_the_same_arrays(prepare, make_dataset, settings):
    maker, data = prepare("msd", channels=2, affine=TILTED)
    folder = maker.folder / "channels"
    files = [
        maker.save(f"channels/{n}.nii.gz", volume) for n, volume in enumerate(maker.arrays(3)[0])
    ]
    assert folder.is_dir()
    single = prepare_image(*load_images(tuple(files)), settings())
    np.testing.assert_array_equal(single.array, data.image("s3"))


def test_same_input_gives_the_same_bytes(prepare):
    one = prepare(channels=2, preprocess={"spacing": (0.9, 0.9, 0.9)}, target="one")[1]
    two = prepare(channels=2, preprocess={"spacing": (0.9, 0.9, 0.9)}, target="two")[1]
    assert len(digests(one.folder)) == 26
    assert digests(one.folder) == digests(two.folder)


def test_table_on_disk_has_the_agreed_columns(prepare):
    _, data = prepare()
    table = pd.read_parquet(data.folder / "cases.parquet")
    assert list(table.columns) == [
        "case", "group", "split", "digest", "shape", "spacing", "voxels", "affine", "source_shape",
        "source_affine",
    ]  # fmt: skip
    assert table["case"].tolist() == [f"s{n}" for n in range(6)]


def test_digest_follows_intensities_that_the_table_does_not_show(prepare):
    plain = prepare(target="plain")[1]
    clipped = prepare(
        target="clipped", preprocess={"intensity": (Clip(method="clip", lower=0, upper=9),)}
    )[1]
    assert plain.digest() != clipped.digest()


def test_problems_are_told_before_anything_is_written(prepare, tmp_path):
    def spoil(maker):
        maker.save("labelsTr/s4.nii.gz", np.zeros(maker.shape, np.uint8))
        (maker.folder / "imagesTr" / "s5.nii.gz").write_bytes(b"")

    with pytest.raises(RarelensError) as caught:
        prepare(change=spoil)
    assert [line.split(":")[0] for line in caught.value.problems] == ["s4", "s5"]
    assert list((tmp_path / "prepared").iterdir()) == []


def test_too_few_cases_are_told_before_anything_is_written(prepare, tmp_path):
    with pytest.raises(RarelensError, match="there are 6 cases"):
        prepare(split_changes={"test": 6})
    assert list((tmp_path / "prepared").iterdir()) == []


def test_intensity_entries_that_fit_no_channels_are_refused(prepare, tmp_path):
    with pytest.raises(RarelensError, match="2 entries for images of 1 channels"):
        prepare(preprocess={"intensity": (ZScore(method="zscore"),) * 2})
    assert list((tmp_path / "prepared").iterdir()) == []


def test_class_that_is_absent_from_the_pool_is_named(prepare):
    def empty(maker):
        for number in range(6):
            labels = maker.arrays(number)[1]
            labels[labels == 2] = 1
            maker.save(f"labelsTr/s{number}.nii.gz", labels)

    with pytest.raises(RarelensError, match="tiny: no voxel of class class2 in the training pool"):
        prepare(change=empty)


def test_class_that_vanishes_from_one_case_by_resampling_is_fine(prepare):
    def thin(maker):
        labels = maker.arrays(0)[1]
        labels[labels == 2] = 0
        labels[0, 7, 6] = 2
        maker.save("labelsTr/s0.nii.gz", labels)

    _, data = prepare(change=thin, preprocess={"spacing": (3.0, 3.0, 3.0)})
    assert data.table.loc["s0", "voxels"][2] == 0


def test_missing_prepared_dataset_is_named(tmp_path):
    with pytest.raises(RarelensError, match="nowhere: no prepared dataset"):
        PreparedDataset(tmp_path / "nowhere")


def test_real_hippocampus_goes_there_and_back(real_data, settings, split, tmp_path):
    raw = real_data / "Task04_Hippocampus"
    chosen = split(test=60, validation=20, pool=50)
    prepare_dataset("hippocampus", "msd", raw, tmp_path, settings(), chosen)
    data = PreparedDataset(tmp_path)
    assert [len(data.cases(side)) for side in ("test", "validation", "pool")] == [60, 20, 50]
    for case in data.cases("validation"):
        row = data.table.loc[case]
        logits = np.stack([data.label(case) == k for k in range(3)]).astype(np.float32)
        affine, own = (np.reshape(row[key], (4, 4)) for key in ("affine", "source_affine"))
        back = restore_labels(logits, affine, tuple(row["source_shape"]), own)
        truth = np.asarray(nib.load(raw / "labelsTr" / f"{case}.nii.gz").dataobj)
        np.testing.assert_array_equal(back, truth)


def warnings_of(capsys):
    said = capsys.readouterr().err.splitlines()
    return [line.removeprefix("warning: ") for line in said if line.startswith("warning: ")]


def test_a_wholly_constant_channel_is_warned_of(prepare, capsys):
    prepare()
    assert warnings_of(capsys) == []

    def constant(maker):
        maker.save("imagesTr/s1.nii.gz", np.full(maker.shape, 7, np.float32))

    prepare(change=constant, target="again")
    (warning,) = warnings_of(capsys)
    assert warning.startswith("s1: ")
    assert warning.endswith("channel 0 is 7 throughout; look at the image")


def test_a_class_that_a_side_lacks_is_warned_of(prepare, capsys):
    _, data = prepare()
    test = data.cases("test")

    def without(maker):
        for case in test:
            labels = np.zeros(maker.shape, np.uint8)
            labels[2, 2, 2] = 1
            maker.save(f"labelsTr/{case}.nii.gz", labels)

    capsys.readouterr()
    prepare(change=without, target="again", classes=3)
    (warning,) = warnings_of(capsys)
    assert "no test case has class" in warning
    assert "split" in warning


def test_a_spacing_that_fills_the_memory_is_refused(settings, monkeypatch):
    image = np.ones((2, 10, 10, 10), np.float32)
    chosen = settings(spacing=(0.5, 0.5, 0.5), crop_foreground=False)
    # 2 channels of 20³ voxels of 4 bytes.
    monkeypatch.setenv("RARELENS_LARGEST_VOLUME", str(2 * 20**3 * 4 / 2**30))
    assert prepare_image(image, np.eye(4), chosen).array.shape == (2, 20, 20, 20)
    monkeypatch.setenv("RARELENS_LARGEST_VOLUME", str((2 * 20**3 * 4 - 1) / 2**30))
    with pytest.raises(RarelensError, match=r"preprocess\.spacing: at 0\.5 × 0\.5 × 0\.5 mm"):
        prepare_image(image, np.eye(4), chosen)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "much"])
def test_a_bound_that_is_none_is_refused(settings, monkeypatch, value):
    monkeypatch.setenv("RARELENS_LARGEST_VOLUME", value)
    with pytest.raises(RarelensError, match=f"RARELENS_LARGEST_VOLUME={value}: no number above 0"):
        prepare_image(np.ones((1, 4, 4, 4), np.float32), np.eye(4), settings(spacing=(1, 1, 1)))


def test_arrays_are_held_against_their_digests_where_they_are_small(prepare, monkeypatch):
    _, data = prepare()
    file = data.folder / "images" / f"{data.cases('pool')[0]}.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    case = data.cases("test")[0]
    with pytest.raises(RarelensError, match="not those that were prepared"):
        PreparedDataset(data.folder).image(case)
    monkeypatch.setattr("rarelens.studies.data.prepared.CHECKED", 10)
    PreparedDataset(data.folder).image(case)
