"""Whatever predictions hold, `rarelens diagnose` reads them or says in a sentence why not."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.changes import VALUES, changed_bytes, changed_values, fuzzed
from fuzz.test_readers import CUBE, _small, put, tried  # noqa: F401
from rarelens.studies.diagnosis.apply import apply_offsets
from rarelens.studies.diagnosis.files import find_files
from rarelens.studies.diagnosis.nnunet import find_cases
from rarelens.studies.diagnosis.pickles import read_pickle
from rarelens.studies.diagnosis.reading import read_cases

LABELS = (CUBE % 2).astype(np.uint8)
SCORES = np.stack([1 - LABELS, LABELS]).astype(np.float32)


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probabilities=SCORES)
    return buffer.getvalue()


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, SCORES)
    return buffer.getvalue()


def _hdf5() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["logits"] = SCORES
    return buffer.getvalue()


def _nifti() -> bytes:
    return nib.Nifti1Image(SCORES.transpose(1, 2, 3, 0), np.eye(4)).to_bytes()


FILES: dict[str, Callable[[], bytes]] = {
    "a.npz": _npz,
    "a.npy": _npy,
    "a.h5": _hdf5,
    "a.nii": _nifti,
}


@pytest.mark.parametrize("name", FILES)
def test_scores(name: str) -> None:
    content = FILES[name]()
    labels = nib.Nifti1Image(LABELS, np.eye(4)).to_bytes()

    @fuzzed
    @given(changed_bytes(content), st.booleans())
    def run(changed: bytes, beside: bool) -> None:
        def write(folder: Path) -> None:
            for kind in ("predictions", "labels"):
                (folder / kind).mkdir()
            (folder / "labels/a.nii").write_bytes(labels)
            (folder / "predictions" / name).write_bytes(changed)
            if beside and name != "a.nii":
                (folder / "predictions/a.nii").write_bytes(labels)

        def read(folder: Path) -> None:
            found = find_files(
                folder / "predictions", folder / "labels", classes=["background", "lesion"]
            )
            read_cases(found.scheme, found.sources, 1)

        tried(read, write)

    run()


BOX = {"crop_bbox": [[0, 4], [0, 4], [np.int64(0), 4]], "size": np.arange(3), "name": "a"}


@fuzzed
@given(changed_bytes(pickle.dumps(BOX)) | changed_bytes(pickle.dumps(BOX, protocol=0)))
def test_pickles(content: bytes) -> None:
    tried(lambda folder: read_pickle(folder / "a.pkl"), put("a.pkl", content))


@fuzzed
@given(VALUES)
def test_boxes(box: Any) -> None:
    """Of the box that nnU-Net 1 cropped to."""

    def write(folder: Path) -> None:
        (folder / "labels").mkdir()
        (folder / "predictions").mkdir()
        nib.save(nib.Nifti1Image(LABELS, np.eye(4)), folder / "labels/a.nii")
        np.savez(folder / "predictions/a.npz", softmax=SCORES[:, :3])
        (folder / "predictions/a.pkl").write_bytes(pickle.dumps({"crop_bbox": box}))

    def read(folder: Path) -> None:
        classes = ["background", "lesion"]
        found = find_files(folder / "predictions", folder / "labels", classes=classes)
        read_cases(found.scheme, found.sources, 1)

    tried(read, write)


DESCRIPTIONS = (
    {"labels": {"0": "background", "1": "a", "2": "b"}},
    {"labels": {"background": 0, "a": 1, "b": 2, "ignore": 3}},
    {"labels": {"background": 0, "a": [1, 2], "b": 2}, "regions_class_order": [1, 2]},
)


@fuzzed
@given(st.sampled_from(DESCRIPTIONS).flatmap(changed_values))
def test_descriptions(description: Any) -> None:
    def write(folder: Path) -> None:
        put("dataset.json", json.dumps(description).encode())(folder)
        for name in ("predictions", "labels"):
            (folder / name).mkdir()
            nib.save(nib.Nifti1Image(LABELS, np.eye(4)), folder / name / "a.nii")

    def read(folder: Path) -> None:
        found = find_files(folder / "predictions", folder / "labels")
        read_cases(found.scheme, found.sources, 1)

    tried(read, write)


@fuzzed
@given(changed_values([{"train": ["a", "b"], "val": ["c"]}]))
def test_splits(splits: Any) -> None:
    def write(folder: Path) -> None:
        fold = folder / "results/Dataset001_A/trainer__plans__3d/fold_0/validation"
        fold.mkdir(parents=True)
        (fold / "c.npz").write_bytes(_npz())
        (folder / "labelsTr").mkdir()
        nib.save(nib.Nifti1Image(LABELS, np.eye(4)), folder / "labelsTr/c.nii.gz")
        (folder / "dataset.json").write_text(json.dumps(DESCRIPTIONS[0]))
        (folder / "splits_final.json").write_text(json.dumps(splits))

    tried(lambda folder: find_cases([*folder.rglob("fold_0")], folder), write)


OFFSET = {"low": 0.1, "dice_gain": 0.2, "value": 0.5}
DIAGNOSIS = {
    "classes": [{"name": "background"}, {"name": "lesion", "offset": OFFSET}],
    "labels": {"regions": None, "ignore": None, "paint": None},
}


@fuzzed
@given(changed_values(DIAGNOSIS))
def test_diagnoses(diagnosis: Any) -> None:
    def write(folder: Path) -> None:
        (folder / "diagnosis.json").write_text(json.dumps(diagnosis))
        (folder / "predictions").mkdir()
        (folder / "predictions/a.nii").write_bytes(_nifti())

    tried(lambda at: apply_offsets(at / "diagnosis.json", at / "predictions", at / "new"), write)
