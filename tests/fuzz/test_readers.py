"""Whatever a file holds, its reader gives data or a RarelensError."""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save
from torch import nn

from fuzz.changes import changed_bytes, changed_values, fuzzed
from rarelens.components.networks._weights import load_initial
from rarelens.errors import RarelensError
from rarelens.studies.data.bounds import PICTURE, VOLUME
from rarelens.studies.data.classification.problems import find_image_problems
from rarelens.studies.data.classification.reading import read_picture
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.prepared import read_array
from rarelens.studies.data.segmentation.collection import load_images, load_label
from rarelens.studies.data.segmentation.problems import find_problems
from rarelens.studies.data.splits import read_split_file
from rarelens.studies.models.prediction import load_model
from rarelens.studies.training.checkpoints import DIGEST, STATE, Checkpoints
from refusals import of_pictures, of_project, of_volumes

CUBE = np.arange(64, dtype=np.int16).reshape(4, 4, 4)
GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VOLUME, "0.01")
    monkeypatch.setenv(PICTURE, "1")


def tried(read: Callable[[Path], Any], write: Callable[[Path], Any]) -> None:
    """Write into a folder and read: data, or a sentence."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        with suppress(RarelensError):
            read(Path(name))


def nifti() -> bytes:
    return nib.Nifti1Image(CUBE, np.eye(4)).to_bytes()


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, kind)
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, GREY)
    return buffer.getvalue()


def put(file: str, content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / file).write_bytes(content)


@fuzzed
@given(changed_bytes(nifti()))
def test_volumes(content: bytes) -> None:
    tried(lambda folder: load_images((folder / "a.nii",)), put("a.nii", content))
    tried(lambda folder: load_label(folder / "a.nii"), put("a.nii", content))


@fuzzed
@given(changed_bytes(nifti()).map(gzip.compress) | changed_bytes(gzip.compress(nifti())))
def test_compressed_volumes(content: bytes) -> None:
    tried(lambda folder: load_images((folder / "a.nii.gz",)), put("a.nii.gz", content))


@fuzzed
@given(st.sampled_from(["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"]).flatmap(
    lambda kind: changed_bytes(picture(kind))))  # fmt: skip
def test_pictures(content: bytes) -> None:
    tried(lambda folder: read_picture(folder / "a.png"), put("a.png", content))


@fuzzed
@given(changed_bytes(of_pictures.npz(**of_pictures.PARTS)))
def test_archives(content: bytes) -> None:
    tried(lambda folder: _read_images(folder, "medmnist"), put("a.npz", content))


@fuzzed
@given(changed_bytes(npy()))
def test_arrays(content: bytes) -> None:
    tried(lambda folder: read_array(folder / "a.npy"), put("a.npy", content))


@fuzzed
@given(changed_bytes(b"case,split\na,test\nb,pool\n"))
def test_split_files(content: bytes) -> None:
    cases = ["a", "b"]
    tried(lambda at: read_split_file(cases, cases, at, "split.csv"), put("split.csv", content))


def _read_images(folder: Path, layout: str) -> None:
    find_image_problems(read_collection(layout, folder, "set"))


def _read_volumes(folder: Path, layout: str) -> None:
    find_problems(read_collection(layout, folder, "set"))


def described(make: Callable[[Path], Any], file: str) -> tuple[dict[str, bytes], Any]:
    """The files of a dataset, and its description."""
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        files = {
            str(each.relative_to(name)): each.read_bytes()
            for each in Path(name).rglob("*")
            if each.is_file()
        }
    return files, json.loads(files.pop(file))


def coco(folder: Path) -> None:
    mask = {"segmentation": {"size": [10, 10], "counts": [40, 20, 40]}}
    of_pictures._coco({"annotation": copy.deepcopy(mask)}, folder)


DATASETS: dict[str, tuple[Callable[[Path], Any], str, Callable[[Path, str], None]]] = {
    "msd": (of_volumes.msd, "dataset.json", _read_volumes),
    "nnunet": (of_volumes.nnunet, "dataset.json", _read_volumes),
    "coco": (coco, "annotations.json", _read_images),
}


@pytest.mark.parametrize("layout", DATASETS)
def test_descriptions(layout: str) -> None:
    make, file, read = DATASETS[layout]
    files, description = described(make, file)

    @fuzzed
    @given(changed_values(description))
    def run(changed: Any) -> None:
        def write(folder: Path) -> None:
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            (folder / file).write_text(json.dumps(changed))

        tried(lambda folder: read(folder, layout), write)

    run()


@pytest.mark.parametrize("layout", ["chexpert", "nih"])
def test_tables(layout: str) -> None:
    row = of_pictures._row(of_pictures.PATH)
    name, content = ("train.csv", row) if layout == "chexpert" else (
        "Data_Entry_2017.csv", f"{of_pictures.NIH_HEADING}a.png,Mass,1\n".encode())  # fmt: skip

    @fuzzed
    @given(changed_bytes(content))
    def run(changed: bytes) -> None:
        def write(folder: Path) -> None:
            of_pictures._picture(folder / of_pictures.PATH)
            of_pictures._picture(folder / "images/a.png")
            (folder / name).write_bytes(changed)

        tried(lambda folder: _read_images(folder, layout), write)

    run()


def test_model_cards_and_weights() -> None:
    files, card = described(of_project.model, "model.json")
    card.pop("weights_sha256")
    weights = files["weights.safetensors"]

    @fuzzed
    @given(changed_values(card), changed_bytes(weights), st.booleans())
    def run(changed: Any, other: bytes, which: bool) -> None:
        def write(folder: Path) -> None:
            (folder / "model.json").write_text(json.dumps(changed if which else card))
            (folder / "weights.safetensors").write_bytes(weights if which else other)

        tried(load_model, write)

    run()


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Conv2d(1, 2, 3), nn.Linear(2, 2)


@fuzzed
@given(changed_bytes(save(Network().state_dict())))
def test_initial_weights(content: bytes) -> None:
    def read(folder: Path) -> None:
        with suppress(ValueError):  # `building.build` makes a sentence of it.
            load_initial(Network(), str(folder / "a"), lambda found: found, "first.weight")

    tried(read, put("a", content))


def _state() -> bytes:
    buffer = io.BytesIO()
    torch.save({"step": 1, "network": Network().state_dict(), "history": [{"loss": 0.5}]}, buffer)
    return buffer.getvalue()


STATE_BYTES = _state()


@fuzzed
@given(changed_bytes(STATE_BYTES), changed_bytes(hashlib.sha256(STATE_BYTES).hexdigest().encode()))
def test_checkpoints(content: bytes, digest: bytes) -> None:
    """Damaged ones are set aside."""

    def write(folder: Path) -> None:
        own = folder / "identity/1"
        own.mkdir(parents=True)
        (own / STATE).write_bytes(content)
        (own / DIGEST).write_bytes(digest)

    tried(lambda folder: Checkpoints(folder, "identity").resume(), write)
