"""Bad predictions for ``rarelens diagnose``: arrays, HDF5, pickles, splits, a diagnosis."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np

from rarelens.studies.data.bounds import VOLUME
from rarelens.studies.diagnosis.apply import apply_offsets
from rarelens.studies.diagnosis.files import find_files
from rarelens.studies.diagnosis.nnunet import find_cases
from rarelens.studies.diagnosis.reading import read_cases
from refusals.bad import BAD, Bad

AREA = "Predictions"
LABELS = (np.arange(64).reshape(4, 4, 4) % 2).astype(np.uint8)
SCORES = np.stack([1 - LABELS, LABELS]).astype(np.float32)
CLASSES = ["background", "lesion"]


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def bomb(_: Path) -> bytes:
    """An archive of 0.3 MB that unpacks to 256 MiB of zeros, where a tenth of a GiB is allowed."""
    os.environ[VOLUME] = "0.1"
    buffer = io.BytesIO()
    head = npy(SCORES)[:128]
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("probabilities.npy", "w", force_zip64=True) as member,
    ):
        member.write(head)
        for _ in range(4):
            member.write(bytes(2**26))
    return buffer.getvalue()


def hdf5(fill: Callable[[h5py.File], object], folder: Path) -> bytes:
    with h5py.File(folder / "made.h5", "w") as file:
        fill(file)
    content = (folder / "made.h5").read_bytes()
    (folder / "made.h5").unlink()
    return content


def linked(file: h5py.File) -> None:
    file["logits"] = h5py.ExternalLink("/etc/passwd", "/a")


def outside(file: h5py.File) -> None:
    file.create_dataset("logits", (2, 4, 4, 4), "f4", external=[("/etc/passwd", 0, 512)])


def claiming(file: h5py.File) -> None:
    file.create_dataset("logits", (2, 10**6, 10**6), "f4", chunks=True)


Content = bytes | Callable[[Path], bytes]
FILES: dict[str, tuple[str, Content, str]] = {
    "an archive that is none": ("a.npz", b"text", "not readable"),
    "an archive cut short": ("a.npz", npz(probabilities=SCORES)[:-30], "not readable"),
    "an archive of two arrays of other names": ("a.npz", npz(a=SCORES, b=SCORES), "none of"),
    "an archive of pickled objects": (
        "a.npz", npz(probabilities=np.array([{}], dtype=object)), "not readable"),
    "0.3 MB of archive that are 256 MiB of zeros": ("a.npz", bomb, "GiB of values"),
    "scores of whole numbers": ("a.npz", npz(probabilities=LABELS), "must be floats"),
    "scores of another shape": ("a.npz", npz(probabilities=SCORES[:, :3]), "scores of shape"),
    "scores of NaN": ("a.npz", npz(probabilities=SCORES * np.nan), "not finite"),
    "probabilities that sum to 2": ("a.npz", npz(probabilities=SCORES * 0 + 1), "sum to 2"),
    "an array cut short": ("a.npy", npy(SCORES)[:-9], "not readable"),
    "an array whose header is garbled": (
        "a.npy", npy(SCORES).replace(b", }   ", b", } ( "), "not readable"),
    "an array of pickled objects": ("a.npy", npy(np.array([{}], dtype=object)), "not readable"),
    "HDF5 that is none": ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(600), "not readable"),
    "HDF5 that links to another file": ("a.h5", partial(hdf5, linked), "it holds nothing"),
    "HDF5 whose values lie in another file": ("a.h5", partial(hdf5, outside), "in another file"),
    "HDF5 that claims 8 TB": ("a.h5", partial(hdf5, claiming), "GiB of values"),
    "NIfTI that claims 32 767³ voxels": ("a.nii", lambda _: _claiming(), "differs from"),
}  # fmt: skip


def _claiming() -> bytes:
    content = bytearray(nib.Nifti1Image(SCORES.transpose(1, 2, 3, 0), np.eye(4)).to_bytes())
    content[42:50] = np.array([32767, 32767, 32767, 2], "<i2").tobytes()
    return bytes(content)


def _read(name: str, content: Content, folder: Path) -> None:
    for kind in ("predictions", "labels"):
        (folder / kind).mkdir()
    nib.save(nib.Nifti1Image(LABELS, np.eye(4)), folder / "labels/a.nii")
    made = content if isinstance(content, bytes) else content(folder)
    (folder / "predictions" / name).write_bytes(made)
    _diagnose(folder)


def _diagnose(folder: Path) -> None:
    found = find_files(folder / "predictions", folder / "labels", classes=CLASSES, axes="zyx")
    read_cases(found.scheme, found.sources, 1)


for given, (name, content, says) in FILES.items():
    BAD.append(Bad(AREA, given, says, partial(_read, name, content)))


class Runs:
    """Unpickled by an unrestricted unpickler, it runs a program."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch ran",)


def _cropped(folder: Path) -> None:
    """As version 1 of nnU-Net leaves it, with a file of properties that would run a program."""
    (folder / "predictions").mkdir()
    (folder / "predictions/a.pkl").write_bytes(pickle.dumps({"crop_bbox": Runs()}))
    (folder / "labels").mkdir()
    nib.save(nib.Nifti1Image(LABELS, np.eye(4)), folder / "labels/a.nii")
    (folder / "predictions/a.npz").write_bytes(npz(softmax=SCORES[:, :3]))
    _diagnose(folder)


BAD.append(Bad(AREA, "properties that would run a program", "more than plain values", _cropped))


def _splits(content: Any, folder: Path) -> None:
    fold = folder / "Dataset001_A/trainer__plans__3d/fold_0"
    (fold / "validation").mkdir(parents=True)
    (fold / "validation/a.npz").write_bytes(npz(probabilities=SCORES))
    (folder / "dataset.json").write_text('{"labels": {"background": 0, "a": 1}}')
    (folder / "splits_final.json").write_text(json.dumps(content))
    find_cases([fold], folder)


BAD.append(Bad(AREA, "splits that are a number", "no splits of fold 0", partial(_splits, 3)))
BAD.append(Bad(AREA, "splits without a side", "no splits", partial(_splits, [{"train": []}])))
DIAGNOSES: dict[str, tuple[Any, str]] = {
    "a diagnosis that is a list": ([], "no diagnosis"),
    "a diagnosis without classes": ({"classes": [], "labels": {}}, "no diagnosis"),
    "a diagnosis whose offset is a word": (
        {
            "classes": [
                {"name": "a"},
                {"name": "b", "offset": {"low": 1, "dice_gain": 1, "value": "x"}},
            ],
            "labels": {"regions": None, "paint": None, "ignore": None},
        },
        "diagnosis.json",
    ),
}


def _apply(content: Any, folder: Path) -> None:
    (folder / "diagnosis.json").write_text(json.dumps(content))
    apply_offsets(folder / "diagnosis.json", folder, folder / "new")


for given, (diagnosis, says) in DIAGNOSES.items():
    BAD.append(Bad(AREA, given, says, partial(_apply, diagnosis)))
