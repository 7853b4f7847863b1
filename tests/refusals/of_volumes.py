"""Bad datasets of volumes: MSD, nnU-Net and their files."""

from __future__ import annotations

import gzip
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from rarelens.errors import RarelensError
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.segmentation.collection import load_images, load_label
from rarelens.studies.data.segmentation.preprocessing import prepare_image
from rarelens.studies.data.segmentation.problems import find_problems
from rarelens.studies.settings.segmentation.datasets import Preprocess, ZScore
from refusals.bad import BAD, Bad, bad

DEEP = "[" * 200_000 + "]" * 200_000


def msd(folder: Path, **changes: Any) -> dict[str, Any]:
    """A dataset of one case, and its description with changes."""
    for kind, array in (("imagesTr", np.ones((4, 4, 4), np.float32)), ("labelsTr", _label())):
        (folder / kind).mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.eye(4)), folder / kind / "a.nii.gz")
    description = {
        "modality": {"0": "T1"},
        "labels": {"0": "background", "1": "lesion"},
        "training": [{"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}],
    } | changes
    (folder / "dataset.json").write_text(json.dumps(description))
    return description


def _label() -> Any:
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1] = 1
    return labels


def _read(folder: Path, layout: str = "msd") -> None:
    problems = find_problems(read_collection(layout, folder, "set"))
    if problems:
        raise RarelensError(*problems)


def _described(changes: dict[str, Any], folder: Path) -> None:
    msd(folder, **changes)
    _read(folder)


def _entry(image: str, label: str = "labelsTr/a.nii.gz") -> dict[str, Any]:
    return {"training": [{"image": image, "label": label}]}


DESCRIPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "an absolute path": (_entry("/etc/hostname"), "outside the dataset's folder"),
    "a path with ..": (_entry("../a.nii.gz"), "outside the dataset's folder"),
    "a label's path with ..": (
        _entry("imagesTr/a.nii.gz", "x/../../a.nii.gz"), "outside the dataset's folder"),
    "an empty path": (_entry(""), "outside the dataset's folder"),
    "a path of 5 000 characters": (_entry("a" * 5000), "no such file"),
    "a path with a zero byte": (_entry("imagesTr/a\0.nii.gz"), "no such file"),
    "half a surrogate in a path": (_entry("imagesTr/\ud800.nii.gz"), "no such file"),
    "a file that is not there": (_entry("imagesTr/b.nii.gz"), "no such file"),
    "a folder as a file": (_entry("imagesTr"), "no such file"),
    "no case": ({"training": []}, "training"),
    "a number as the list of cases": ({"training": 3}, "training"),
    "a case that is a word": ({"training": ["a"]}, "training"),
    "a case twice": (
        {"training": _entry("imagesTr/a.nii.gz")["training"] * 2}, "listed twice"),
    "labels that skip a number": ({"labels": {"0": "a", "2": "b"}}, "without a gap"),
    "labels numbered by words": ({"labels": {"zero": "a", "one": "b"}}, "number them"),
    "a label of 10³⁰": ({"labels": {"0": "a", "9" * 30: "b"}}, "without a gap"),
    "a label of 5 000 digits": ({"labels": {"0": "a", "9" * 5000: "b"}}, "number them"),
    "one class alone": ({"labels": {"0": "background"}}, "foreground class"),
    "two classes of one name": ({"labels": {"0": "a", "1": "a"}}, "listed twice"),
    "a class without a name": ({"labels": {"0": "a", "1": ""}}, "no text"),
    "a class's name with a line's end": ({"labels": {"0": "a", "1": "b\nc"}}, "control"),
    "a class's name of 5 000 characters": ({"labels": {"0": "a", "1": "b" * 5000}}, "too long"),
    "half a surrogate in a class's name": ({"labels": {"0": "a", "1": "\ud800"}}, "no text"),
    "two modalities of one channel": ({"modality": {"0": "a", "1": "b"}}, "1 channels"),
    "no modality": ({"modality": {}}, "without a gap"),
}  # fmt: skip
for given, (changes, says) in DESCRIPTIONS.items():
    BAD.append(Bad("MSD", given, says, partial(_described, changes)))

TEXTS: dict[str, tuple[bytes, str]] = {
    "an empty dataset.json": (b"", "not readable as JSON"),
    "a dataset.json cut short": (b'{"modality": {', "not readable as JSON"),
    "a dataset.json nested 200 000 deep": (DEEP.encode(), "not readable as JSON"),
    "a dataset.json in UTF-16": ('{"a": 1}'.encode("utf-16"), "not readable as JSON"),
    "a list as dataset.json": (b"[]", "dataset.json"),
    "NaN as dataset.json": (b"NaN", "dataset.json"),
    "a number of 5 000 digits as dataset.json": (b"9" * 5000, "not readable as JSON"),
    "zeros as dataset.json": (bytes(1000), "not readable as JSON"),
}


def _texted(text: bytes, folder: Path) -> None:
    msd(folder)
    (folder / "dataset.json").write_bytes(text)
    _read(folder)


for given, (text, says) in TEXTS.items():
    BAD.append(Bad("MSD", given, says, partial(_texted, text)))


@bad("MSD", "a folder as dataset.json", "not readable as JSON")
def _(folder: Path) -> None:
    (folder / "dataset.json").mkdir()
    _read(folder)


@bad("MSD", "a link to itself as dataset.json", "not readable as JSON")
def _(folder: Path) -> None:
    (folder / "dataset.json").symlink_to("dataset.json")
    _read(folder)


@bad("MSD", "no folder", "no such file")
def _(folder: Path) -> None:
    _read(folder / "absent")


@bad("MSD", "bytes that are no text in a file's name", "no text")
def _(folder: Path) -> None:
    name = os.fsdecode(b"\xff.nii.gz")
    description = msd(folder, **_entry(f"imagesTr/{name}"))
    (folder / "imagesTr/a.nii.gz").rename(folder / "imagesTr" / name)
    (folder / "dataset.json").write_text(json.dumps(description))
    _read(folder)


@bad("MSD", "a line's end in a file's name", "control characters")
def _(folder: Path) -> None:
    msd(folder, **_entry("imagesTr/a\nb.nii.gz"))
    (folder / "imagesTr/a.nii.gz").rename(folder / "imagesTr/a\nb.nii.gz")
    _read(folder)


def nnunet(folder: Path, **changes: Any) -> None:
    """A dataset of one case, whose description has changes."""
    for kind, name, array in (
        ("imagesTr", "a_0000", np.ones((4, 4, 4), np.float32)),
        ("labelsTr", "a", _label()),
    ):
        (folder / kind).mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.eye(4)), folder / kind / f"{name}.nii.gz")
    description = {
        "channel_names": {"0": "T1"},
        "labels": {"background": 0, "lesion": 1},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    } | changes
    (folder / "dataset.json").write_text(json.dumps(description))


def _nnunet(changes: dict[str, Any], folder: Path) -> None:
    nnunet(folder, **changes)
    _read(folder, "nnunet")


NNUNET: dict[str, tuple[dict[str, Any], str]] = {
    "another number of cases": ({"numTraining": 2}, "numTraining"),
    "a number of cases of 10³⁰": ({"numTraining": 10**30}, "numTraining"),
    "regions with a gap": ({"labels": {"background": 0, "whole": [1, 3]}}, "without a gap"),
    "an ignore label": ({"labels": {"background": 0, "a": 1, "ignore": 2}}, "ignore"),
    "another file ending": ({"file_ending": ".gipl"}, "file_ending"),
    "a path as file ending": ({"file_ending": "/../../*"}, "file_ending"),
    "a second channel without files": ({"channel_names": {"0": "a", "1": "b"}}, "no such file"),
    "labels that are Infinity": ({"labels": {"a": float("inf"), "b": 1}}, "labels"),
}
for given, (changes, says) in NNUNET.items():
    BAD.append(Bad("nnU-Net", given, says, partial(_nnunet, changes)))


def _image(array: Any, affine: Any, folder: Path) -> None:
    file = folder / "a.nii.gz"
    nib.save(nib.Nifti1Image(array, affine), file)
    load_images((file,))


CUBE = np.ones((4, 4, 4), np.float32)
IMAGES: dict[str, tuple[Any, Any, str]] = {
    "complex numbers": (CUBE.astype(np.complex64), np.eye(4), "plain numbers"),
    "complex numbers of double precision": (
        CUBE.astype(np.complex128), np.eye(4), "plain numbers"),
    "colours": (
        np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")]), np.eye(4), "plain numbers"),
    "NaN": (CUBE * np.nan, np.eye(4), "NaN or infinite"),
    "infinity": (CUBE * np.inf, np.eye(4), "NaN or infinite"),
    "values beyond single precision": (CUBE.astype(float) * 1e300, np.eye(4), "NaN or infinite"),
    "two dimensions": (CUBE[0], np.eye(4), "must be 3-D or 4-D"),
    "five dimensions": (CUBE[..., None, None] * np.ones((2, 2)), np.eye(4), "must be 3-D or 4-D"),
}  # fmt: skip
for given, (array, affine, says) in IMAGES.items():
    BAD.append(Bad("NIfTI image", given, says, partial(_image, array, affine)))


def _header(changes: dict[str, Any], folder: Path) -> None:
    """An uncompressed volume whose header has changes."""
    file = folder / "a.nii"
    nib.save(nib.Nifti1Image(CUBE, np.eye(4)), file)
    content = bytearray(file.read_bytes())
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    for key, value in changes.items():
        header[key] = value
    content[:348] = header.binaryblock
    file.write_bytes(content)
    load_images((file,))


LARGEST = np.iinfo(np.int16).max
HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "a header of 32 767³ voxels": ({"dim": [3, *[LARGEST] * 3, 1, 1, 1, 1]}, "GiB of values"),
    "a header of 32 767⁷ voxels": ({"dim": [7, *[LARGEST] * 7]}, "a.nii"),
    "a header of −4 voxels": ({"dim": [3, -4, 4, 4, 1, 1, 1, 1]}, "a.nii"),
    "a header of 0 voxels": ({"dim": [3, 0, 4, 4, 1, 1, 1, 1]}, "a.nii"),
    "a header of 99 dimensions": ({"dim": [99, 4, 4, 4, 1, 1, 1, 1]}, "a.nii"),
    "a header of more voxels than follow": ({"dim": [3, 8, 8, 8, 1, 1, 1, 1]}, "a.nii"),
    "a header of an unknown type": ({"datatype": 9999}, "a.nii"),
    "voxels that begin at byte 10¹²": ({"vox_offset": 1e12}, "a.nii"),
    "voxels that begin at byte NaN": ({"vox_offset": np.nan}, "a.nii"),
    "an affine of zeros": ({"sform_code": 1, "srow_x": [0, 0, 0, 0]}, "singular"),
    "an affine with NaN": ({"sform_code": 1, "srow_y": [np.nan, 0, 0, 0]}, "singular"),
    "an affine with infinity": ({"sform_code": 1, "srow_z": [0, np.inf, 1, 0]}, "singular"),
    "a magic of other software": ({"magic": b"xyz"}, "a.nii"),
}
for given, (fields, says) in HEADERS.items():
    BAD.append(Bad("NIfTI image", given, says, partial(_header, fields)))


def _content(content: bytes, folder: Path) -> None:
    (folder / "a.nii.gz").write_bytes(content)
    load_images((folder / "a.nii.gz",))


CONTENTS = {
    "an empty file": b"",
    "gzip of nothing": gzip.compress(b""),
    "half a header": gzip.compress(bytes(100)),
    "zeros": gzip.compress(bytes(5000)),
    "a text": b"not an image\n" * 100,
    "a gzip of random bytes": gzip.compress(np.random.default_rng(0).bytes(5000)),
    "a gzip cut short": gzip.compress(np.random.default_rng(0).bytes(5000))[:2000],
    "a gzip with a wrong checksum": gzip.compress(bytes(5000))[:-6] + b"\1\2\3\4\5\6",
}
for given, content in CONTENTS.items():
    BAD.append(Bad("NIfTI image", given, "a.nii.gz", partial(_content, content)))


@bad("NIfTI image", "1 MB of gzip that is 1 GiB of zeros", "GiB of values")
def _(folder: Path) -> None:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((1024, 1024, 1100))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    header.set_sform(np.eye(4), code=1)
    with gzip.open(folder / "a.nii.gz", "wb", 1) as stream:
        stream.write(header.binaryblock + bytes(4))
        for _ in range(1100):
            stream.write(bytes(2**20))
    load_images((folder / "a.nii.gz",))


@bad("NIfTI image", "an extension of 2 GiB before the voxels", "a.nii.gz")
def _(folder: Path) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((4, 4, 4))
    header["vox_offset"], header["magic"] = 2**31, b"n+1"
    block = b"\1\0\0\0" + (2**31 - 352).to_bytes(4, "little", signed=True) + b"\4\0\0\0"
    with gzip.open(folder / "a.nii.gz", "wb", 1) as stream:
        stream.write(header.binaryblock + block)
        for _ in range(2048):
            stream.write(bytes(2**20))
    load_images((folder / "a.nii.gz",))


@bad("NIfTI image", "a folder", "a.nii.gz")
def _(folder: Path) -> None:
    (folder / "a.nii.gz").mkdir()
    load_images((folder / "a.nii.gz",))


@bad("NIfTI image", "a link to itself", "a.nii.gz")
def _(folder: Path) -> None:
    (folder / "a.nii.gz").symlink_to("a.nii.gz")
    load_images((folder / "a.nii.gz",))


@bad("NIfTI image", "channels of differing shapes", "give all one grid")
def _(folder: Path) -> None:
    for name, size in (("a.nii.gz", 4), ("b.nii.gz", 5)):
        nib.save(nib.Nifti1Image(np.ones((4, 4, size), np.float32), np.eye(4)), folder / name)
    load_images((folder / "a.nii.gz", folder / "b.nii.gz"))


@bad("NIfTI image", "a spacing that makes 10¹⁵ voxels of it", "spacing")
def _(folder: Path) -> None:
    settings = Preprocess(spacing=(0.01,) * 3, intensity=(ZScore(method="zscore"),))
    prepare_image(np.ones((1, 10, 10, 10), np.float32), np.diag([100, 100, 100, 1.0]), settings)


def _labels(array: Any, folder: Path) -> None:
    nib.save(nib.Nifti1Image(array, np.eye(4)), folder / "a.nii.gz")
    load_label(folder / "a.nii.gz")


LABELS: dict[str, tuple[Any, str]] = {
    "fractions": (CUBE * 0.5, "whole numbers"),
    "negative values": (-CUBE, "whole numbers"),
    "values beyond 65 535": (CUBE * 70000, "whole numbers"),
    "NaN as a label": (CUBE * np.nan, "whole numbers"),
    "complex labels": (CUBE.astype(np.complex64), "plain numbers"),
    "four dimensions": (CUBE[..., None] * np.ones(2), "must be 3-D"),
    "two dimensions as labels": (CUBE[0], "must be 3-D"),
}
for given, (array, says) in LABELS.items():
    BAD.append(Bad("NIfTI label map", given, says, partial(_labels, array)))


def _pair(label: Any, affine: Any, folder: Path) -> None:
    msd(folder)
    nib.save(nib.Nifti1Image(label, affine), folder / "labelsTr/a.nii.gz")
    _read(folder)


PAIRS: dict[str, tuple[Any, Any, str]] = {
    "another shape than its image's": (np.ones((4, 4, 5), np.uint8), np.eye(4), "differs from"),
    "another affine than its image's": (_label(), np.diag([2, 2, 2, 1.0]), "affine differs"),
    "a class that is not declared": (_label() * 3, np.eye(4), "not declared"),
    "no foreground": (_label() * 0, np.eye(4), "empty foreground"),
}
for given, (array, affine, says) in PAIRS.items():
    BAD.append(Bad("NIfTI label map", given, says, partial(_pair, array, affine)))
