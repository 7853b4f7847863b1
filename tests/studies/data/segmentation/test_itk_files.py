"""MetaImage and NRRD, against files that ITK wrote; what is not read is refused in a sentence."""

from __future__ import annotations

import base64
import shutil

import nibabel as nib
import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.segmentation.collection import load_images, load_label

# By SimpleITK 2.5: one volume of 2 × 3 × 4 voxels, −5 to 18, spacing, direction and origin its own,
# compressed; VECTORS has its double as a second channel.
NIFTI = base64.b64decode(
    "H4sIAAAAAAAAA4thZCACFDEwMzAxMDOwMDBCISpgYRAA0w32DAwM9gwMC+wZGBwcMM3Z4AxVAwJcDAMMGBkYGa5l"
    "3NgLwtP/GNkzMCgcZGBY4MjA8MER5Jmpt2bsX/Q1aT9EHOQvMGiAqGFgYFfau29TjrkDVD0KyNM2BNO////5//f/"
    "v////4Psg4QhKwMbAzsDBwMnAxcDNwMPAy8DHwM/gwCDIIMQAwBVv7ufkAEAAA=="
)
METAIMAGE = base64.b64decode(
    "T2JqZWN0VHlwZSA9IEltYWdlCk5EaW1zID0gMwpCaW5hcnlEYXRhID0gVHJ1ZQpCaW5hcnlEYXRhQnl0ZU9yZGVy"
    "TVNCID0gRmFsc2UKQ29tcHJlc3NlZERhdGEgPSBUcnVlCkNvbXByZXNzZWREYXRhU2l6ZSA9IDQ0ClRyYW5zZm9y"
    "bU1hdHJpeCA9IDAgLTEgMCAwLjk1NTMzNjQ4OTEyNTYwNTk4IDAgLTAuMjk1NTIwMjA2NjYxMzM5NTUgMC4yOTU1"
    "MjAyMDY2NjEzMzk1NSAwIDAuOTU1MzM2NDg5MTI1NjA1OTgKT2Zmc2V0ID0gMTAgLTIwIDMwCkNlbnRlck9mUm90"
    "YXRpb24gPSAwIDAgMApBbmF0b21pY2FsT3JpZW50YXRpb24gPSBQUkkKRWxlbWVudFNwYWNpbmcgPSAwLjUgMS4y"
    "NSAzCkRpbVNpemUgPSAyIDMgNApFbGVtZW50VHlwZSA9IE1FVF9TSE9SVApFbGVtZW50RGF0YUZpbGUgPSBMT0NB"
    "TAp4XgXBhQGAQAAEIMy3a/9NjRPuPHnzJaFSa7Q6vWIwmswWq83ucLr8uKgKmA=="
)
VECTORS = base64.b64decode(
    "TlJSRDAwMDQKIyBDb21wbGV0ZSBOUlJEIGZpbGUgZm9ybWF0IHNwZWNpZmljYXRpb24gYXQ6CiMgaHR0cDovL3Rl"
    "ZW0uc291cmNlZm9yZ2UubmV0L25ycmQvZm9ybWF0Lmh0bWwKdHlwZTogZmxvYXQKZGltZW5zaW9uOiA0CnNwYWNl"
    "OiBsZWZ0LXBvc3Rlcmlvci1zdXBlcmlvcgpzaXplczogMiAyIDMgNApzcGFjZSBkaXJlY3Rpb25zOiBub25lICgw"
    "LC0wLjUsMCkgKDEuMTk0MTcwNjExNDA3MDA3NCwwLC0wLjM2OTQwMDI1ODMyNjY3NDQ1KSAoMC44ODY1NjA2MTk5"
    "ODQwMTg1OCwwLDIuODY2MDA5NDY3Mzc2ODE4MikKa2luZHM6IHZlY3RvciBkb21haW4gZG9tYWluIGRvbWFpbgpl"
    "bmRpYW46IGxpdHRsZQplbmNvZGluZzogZ3ppcApzcGFjZSBvcmlnaW46ICgxMCwtMjAsMzApCgofiwgAAAAAAAAD"
    "NcxBDQJREIPh78gRCSsBB0xXARKQgIR35IiElYAD3jpAwkpAAmFfaNLkT6cdls600jpWqtN/3EfWXoP/amfUcCuq"
    "6GVnYSmmjKzCVlxjv7VwDI+MzhJO4Rl7t4dLeGdstnALn9i3Zu7hMI8fx/kLpzuhyMAAAAA="
)


@pytest.fixture
def reference(tmp_path):
    file = tmp_path / "reference.nii.gz"
    file.write_bytes(NIFTI)
    return nib.load(file)


@pytest.mark.parametrize(("name", "content"), [("a.mha", METAIMAGE), ("a.nrrd", VECTORS)])
def test_voxels_and_orientation_are_those_of_itks_nifti(name, content, reference, tmp_path):
    file = tmp_path / name
    file.write_bytes(content)
    image, affine = load_images((file,))
    np.testing.assert_array_equal(image[0], reference.get_fdata())
    np.testing.assert_allclose(affine, reference.affine, atol=1e-6)
    if name.endswith("nrrd"):
        np.testing.assert_array_equal(image[1], 2 * reference.get_fdata())


@pytest.mark.parametrize("kind", ["short", "signed short int", "int16_t"])
def test_a_plain_file_of_big_endian_shorts(kind, tmp_path):
    file = tmp_path / "a.nrrd"
    header = (
        f"NRRD0004\ntype: {kind}\ndimension: 3\nspace: RAS\nsizes: 2 1 1\nendian: big\n"
        "encoding: raw\nspace directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (7,8,9)\n\n"
    )
    file.write_bytes(header.encode() + bytes([0, 3, 1, 0]))
    labels, affine = load_label(file)
    assert labels.ravel().tolist() == [3, 256]
    assert affine.tolist() == [[1, 0, 0, 7], [0, 2, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1]]


@pytest.mark.parametrize(("change", "said"), [
    ((b"LOCAL", b"a.raw"), "not readable as MetaImage (its voxels are in a file apart)"),
    ((b"DimSize = 2 3 4", b"DimSize = 2 3 5"), "48 bytes of voxels instead of 60"),
    ((b"DimSize = 2 3 4", b"DimSize = 2 3 900000000000"), "claims"),
    ((b"DimSize = 2 3 4", b"DimSize = 2 3"), "of 3 axes, sizes 2 3"),
    ((b"MET_SHORT", b"MET_HALF"), "MET_HALF"),
    ((b"ElementDataFile", b"Nothing"), "not readable as MetaImage (its header has no end)"),
])  # fmt: skip
def test_what_is_not_read_is_told(change, said, tmp_path):
    file = tmp_path / "a.mha"
    file.write_bytes(METAIMAGE.replace(*change))
    with pytest.raises(RarelensError) as raised:
        load_label(file)
    assert said in str(raised.value)
    assert str(raised.value).startswith(str(file))


def test_nnunet_folders_may_hold_them(make_dataset, tmp_path):
    maker = make_dataset()
    maker.nnunet()
    for file in [*maker.folder.glob("*/*.nii.gz")]:
        shutil.move(file, file.with_name(file.name.replace(".nii.gz", ".nrrd")))
    maker.change(file_ending=".nrrd")
    case = read_collection("nnunet", maker.folder, "tiny").cases[0]
    assert case.label.name == "s0.nrrd"
    with pytest.raises(
        RarelensError, match=r"not readable as NRRD \(it does not begin with NRRD\)"
    ):
        load_images(case.images)
