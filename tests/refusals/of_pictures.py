"""Bad datasets of images: COCO, CheXpert, NIH, MedMNIST and their files."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.layouts.chexpert import CLASSES
from rarelens.studies.data.classification.problems import find_image_problems
from rarelens.studies.data.classification.reading import read_picture
from rarelens.studies.data.layout import read_collection
from refusals.bad import BAD, Bad, bad
from refusals.of_volumes import DEEP

GREY = np.arange(100, dtype=np.uint8).reshape(10, 10)


def _read(folder: Path, layout: str) -> None:
    problems = find_image_problems(read_collection(layout, folder, "set"))
    if problems:
        raise RarelensError(*problems)


def _picture(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(GREY).save(file)


def _coco(changes: dict[str, Any], folder: Path) -> None:
    """One image with one finding; ``changes`` are of the file, its image or its annotation."""
    _picture(folder / "images/a.png")
    picture = {"id": 1, "file_name": "a.png", "width": 10, "height": 10}
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3]}
    content = {
        "images": [picture | changes.pop("image", {})],
        "annotations": [annotation | changes.pop("annotation", {})],
        "categories": [{"id": 1, "name": "a"}],
    } | changes
    (folder / "annotations.json").write_text(json.dumps(content))
    _read(folder, "coco")


INFINITY = float("inf")
COCO: dict[str, tuple[dict[str, Any], str]] = {
    "an absolute path": ({"image": {"file_name": "/etc/hostname"}}, "outside the dataset"),
    "a path with ..": ({"image": {"file_name": "../a.png"}}, "outside the dataset"),
    "a path of 5 000 characters": ({"image": {"file_name": "a" * 5000}}, "no such file"),
    "half a surrogate in a path": ({"image": {"file_name": "\ud800.png"}}, "no such file"),
    "a width of 10³⁰": ({"image": {"width": 10**30}}, "are declared"),
    "a width that is a word": ({"image": {"width": "wide"}}, "width"),
    "a box of infinity": ({"annotation": {"bbox": [0, 0, INFINITY, 1]}}, "no numbers"),
    "a box of NaN": ({"annotation": {"bbox": [0, 0, INFINITY - INFINITY, 1]}}, "no numbers"),
    "a box without area": ({"annotation": {"bbox": [1, 1, 0, 3]}}, "no area"),
    "a box outside its image": ({"annotation": {"bbox": [50, 50, 3, 3]}}, "outside the image"),
    "a box of three numbers": ({"annotation": {"bbox": [1, 1, 3]}}, "bbox"),
    "an outline of one point": ({"annotation": {"segmentation": [[1, 1]]}}, "no list of polygons"),
    "an outline of words": ({"annotation": {"segmentation": [["a"] * 6]}}, "no list of polygons"),
    "an outline with infinity": (
        {"annotation": {"segmentation": [[0, 0, INFINITY, 0, 3, 3]]}}, "no list of polygons"),
    "run lengths of infinity": (
        {"annotation": {"segmentation": {"size": [10, 10], "counts": [INFINITY]}}}, "run lengths"),
    "run lengths of an infinite size": (
        {"annotation": {"segmentation": {"size": [INFINITY, 1], "counts": [1]}}}, "run lengths"),
    "run lengths of halves": (
        {"annotation": {"segmentation": {"size": [10, 10], "counts": [49.5, 50.5]}}},
        "run lengths"),
    "run lengths below zero": (
        {"annotation": {"segmentation": {"size": [10, 10], "counts": [-50, 150]}}},
        "run lengths cover"),
    "run lengths of another sum": (
        {"annotation": {"segmentation": {"size": [10, 10], "counts": [5]}}}, "run lengths cover"),
    "run lengths that never end": (
        {"annotation": {"segmentation": {"size": [10, 10], "counts": "o" * 300_000}}},
        "run lengths"),
    "run lengths of letters beyond ASCII": (
        {"annotation": {"segmentation": {"size": [10, 10], "counts": "é"}}}, "run lengths"),
    "an annotation of no image": ({"annotation": {"image_id": 9}}, "not listed"),
    "an annotation of no category": ({"annotation": {"category_id": 9}}, "not declared"),
    "no category": ({"categories": []}, "categories"),
    "no image": ({"images": [], "annotations": []}, "no image"),
    "a list of images that is a number": ({"images": 3}, "images"),
    "a category of a line's end": (
        {"categories": [{"id": 1, "name": "a\nb"}]}, "control characters"),
    "half a surrogate in a category": ({"categories": [{"id": 1, "name": "\ud800"}]}, "no text"),
}  # fmt: skip
for given, (changes, says) in COCO.items():
    BAD.append(Bad("COCO", given, says, partial(lambda own, at: _coco(dict(own), at), changes)))


@bad("COCO", "annotations.json nested 200 000 deep", "not readable as JSON")
def _(folder: Path) -> None:
    (folder / "annotations.json").write_text(DEEP)
    _read(folder, "coco")


@bad("COCO", "an outline nested 900 deep", "annotations.json")
def _(folder: Path) -> None:
    outline: list[Any] = []
    for _ in range(900):
        outline = [outline]
    _coco({"annotation": {"segmentation": outline}}, folder)


@bad("COCO", "a folder as its JSON file", "not readable as JSON")
def _(folder: Path) -> None:
    (folder / "a.json").mkdir()
    _read(folder, "coco")


PATH = "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.png"
HEADING = ",".join(["Path", *CLASSES])


def _chexpert(content: bytes, masks: Any, folder: Path) -> None:
    _picture(folder / PATH)
    (folder / "train.csv").write_bytes(content)
    if masks is not None:
        (folder / "gt_segmentations_test.json").write_text(json.dumps(masks))
    _read(folder, "chexpert")


def _row(path: str, first: str = "1") -> bytes:
    return f"{HEADING}\n{path},{first}{',' * (len(CLASSES) - 1)}\n".encode("utf-8", "surrogatepass")


CHEXPERT: dict[str, tuple[bytes, str]] = {
    "an absolute path": (_row("/etc/patient1/a.png"), "outside the dataset"),
    "a path with ..": (_row("../patient1/a.png"), "outside the dataset"),
    "a path without a patient": (_row("train/a.png"), "names no patient"),
    "a path of 5 000 characters": (_row(f"patient1/{'a' * 5000}.png"), "no such file"),
    "a path with a zero byte": (_row("patient1/a\0.png"), "no such file"),
    "a label that is no number": (_row(PATH, "yes"), "choose from 1, 0, -1"),
    "a label of infinity": (_row(PATH, "inf"), "choose from 1, 0, -1"),
    "an empty table": (b"", "no column"),
    "a table without a row": (HEADING.encode(), "no image"),
    "a table in UTF-16": (HEADING.encode("utf-16"), "not readable as CSV"),
    "a row that is too short": (f"{HEADING}\n{PATH}\n".encode(), "are needed"),
    "a cell of 200 000 characters": (_row("a" * 200_000), "not readable as CSV"),
    "a quotation that does not end": (HEADING.encode() + b'\n"a,b', "are needed"),
    "zeros as a table": (bytes(1000), "train.csv"),
    "an image twice": (_row(PATH) + _row(PATH).split(b"\n")[1], "listed twice"),
}
for given, (content, says) in CHEXPERT.items():
    BAD.append(Bad("CheXpert", given, says, partial(_chexpert, content, None)))
IMAGE = "patient00001_study1_view1_frontal"
MASKS: dict[str, tuple[Any, str]] = {
    "masks that are a list": ([], "no masks"),
    "a mask of another image": ({"other": {}}, "not listed"),
    "a mask of 10⁶ × 10⁶ pixels": (
        {IMAGE: {"Edema": {"size": [10**6, 10**6], "counts": [0, 10**12]}}}, "megapixels"),
    "a mask with run lengths of infinity": (
        {IMAGE: {"Edema": {"size": [4, 4], "counts": [INFINITY]}}}, "run lengths"),
    "a mask that is a number": ({IMAGE: {"Edema": 3}}, "run lengths"),
    "a mask of no finding": (
        {IMAGE: {"Toothache": {"size": [2, 2], "counts": [0, 4]}}}, "not a finding"),
}  # fmt: skip
for given, (masks, says) in MASKS.items():
    BAD.append(Bad("CheXpert", given, says, partial(_chexpert, _row(PATH), masks)))

NIH_HEADING = "Image Index,Finding Labels,Patient ID\n"


def _nih(rows: str, boxes: str, folder: Path) -> None:
    _picture(folder / "images/a.png")
    (folder / "Data_Entry_2017.csv").write_text(NIH_HEADING + rows)
    (folder / "BBox_List_2017.csv").write_text("a,b,c,d,e,f\n" + boxes)
    _read(folder, "nih")


NIH: dict[str, tuple[str, str, str]] = {
    "a label that there is not": ("a.png,Toothache,1\n", "", "not declared"),
    "an image without a patient": ("a.png,Mass,\n", "", "no Patient ID"),
    "an image that is not there": ("../a.png,Mass,1\n", "", "no such file"),
    "an image twice": ("a.png,Mass,1\na.png,Mass,1\n", "", "listed twice"),
    "a box of words": ("a.png,Mass,1\n", "a.png,Mass,x,1,1,1\n", "no numbers"),
    "a box of infinity": ("a.png,Mass,1\n", "a.png,Mass,inf,1,1,1\n", "no numbers"),
    "a box of another image": ("a.png,Mass,1\n", "b.png,Mass,1,1,1,1\n", "not listed"),
    "a box outside the release's images": (
        "a.png,Mass,1\n", "a.png,Mass,2000,1,1,1\n", "outside the image"),
}  # fmt: skip
for given, (rows, boxes, says) in NIH.items():
    BAD.append(Bad("NIH", given, says, partial(_nih, rows, boxes)))


@bad("NIH", "folders of images that are links to one another", "no such file")
def _(folder: Path) -> None:
    (folder / "images").mkdir()
    for name in "abc":
        (folder / "images" / name).symlink_to(folder / "images")
    (folder / "Data_Entry_2017.csv").write_text(f"{NIH_HEADING}a.png,Mass,1\n")
    _read(folder, "nih")


def npz(**arrays: bytes) -> bytes:
    """An archive of these ``.npy`` files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(shape: Any, dtype: str = "|u1", content: bytes = b"", fortran: bool = False) -> bytes:
    """A ``.npy`` file whose header claims what it is told to."""
    text = f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}}}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content


PARTS = {
    f"{part}_{kind}": npy(shape, content=bytes(size))
    for part in ("train", "val", "test")
    for kind, shape, size in (("images", (2, 8, 8), 128), ("labels", (2, 1), 2))
}
MEDMNIST: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "not readable"),
    "no archive": (b"PK" + bytes(100), "not readable"),
    "an archive without arrays": (npz(), "there is no array"),
    "an archive cut short": (npz(**PARTS)[:-40], "not readable"),
    "an array that is no .npy": (npz(**PARTS | {"train_images": b"text"}), "not readable"),
    "an array of pickled objects": (
        npz(**PARTS | {"train_labels": npy((2, 1), "|O", b"cos\nsystem\n")}), "whole numbers"),
    "labels of fractions": (
        npz(**PARTS | {"train_labels": npy((2, 1), "<f4", bytes(8))}), "whole numbers"),
    "labels below zero": (
        npz(**PARTS | {"train_labels": npy((2, 1), "|i1", b"\xff\xff")}), "no class"),
    "labels of another length": (
        npz(**PARTS | {"train_labels": npy((3, 1), content=bytes(3))}), "one row an image"),
    "10¹² images": (npz(**PARTS | {"train_images": npy((10**12, 8, 8)),
                                   "train_labels": npy((10**12, 1))}), "megapixels"),
    "images of 10⁶ × 10⁶ pixels": (
        npz(**PARTS | {"train_images": npy((2, 10**6, 10**6))}), "megapixels"),
    "images of −1 pixels": (npz(**PARTS | {"train_images": npy((2, -1, 8))}), "not readable"),
    "labels of no column": (
        npz(**PARTS | {"train_labels": npy((2, 0))}), "not readable"),
    "images cut short": (
        npz(**PARTS | {"train_images": npy((2, 8, 8), content=bytes(70))}), "not readable"),
    "images in Fortran order": (
        npz(**PARTS | {"train_images": npy((2, 8, 8), content=bytes(128), fortran=True)}),
        "Fortran order"),
    "images of 32 bits": (
        npz(**PARTS | {"train_images": npy((2, 8, 8), "<f4", bytes(512))}), "must be"),
    "a header of 5 000 levels": (
        npz(**PARTS | {"train_images": npy("(" * 5000 + ")" * 5000)}), "not readable"),
}  # fmt: skip


def _medmnist(content: bytes, folder: Path) -> None:
    (folder / "set.npz").write_bytes(content)
    _read(folder, "medmnist")


for given, (content, says) in MEDMNIST.items():
    BAD.append(Bad("MedMNIST", given, says, partial(_medmnist, content)))


@bad("MedMNIST", "two files", "more than one")
def _(folder: Path) -> None:
    (folder / "a.npz").write_bytes(npz())
    (folder / "b.npz").write_bytes(npz())
    _read(folder, "medmnist")


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A grey PNG whose header claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _saved(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, kind, **options)
    return buffer.getvalue()


def _tiff(values: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), values, np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


PICTURES: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "not readable as an image"),
    "a text": (b"no picture", "not readable as an image"),
    "zeros": (bytes(1000), "not readable as an image"),
    "a PNG cut short": (_saved("PNG")[:45], "not readable as an image"),
    "a JPEG cut short": (_saved("JPEG")[:300], "not readable as an image"),
    "a PNG of 144 megapixels": (png(12_000, 12_000, bytes(12_000 * 12_001)), "megapixels"),
    "a PNG that claims 10¹⁸ pixels": (png(10**9, 10**9), "a.png"),
    "a PNG of no pixel": (png(0, 0), "not readable as an image"),
    "a PNG without rows": (png(10, 10), "not readable as an image"),
    "a TIFF of NaN": (_tiff(np.nan), "NaN or infinite"),
    "a TIFF of infinity": (_tiff(np.inf), "NaN or infinite"),
    "a moving picture": (
        _saved("GIF", save_all=True, append_images=[Image.fromarray(GREY[::-1])]), "2 pictures"),
    "PostScript, which would run a program": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "a.png"),
}  # fmt: skip


def _pictured(content: bytes, folder: Path) -> None:
    (folder / "a.png").write_bytes(content)
    read_picture(folder / "a.png")


for given, (content, says) in PICTURES.items():
    BAD.append(Bad("Image file", given, says, partial(_pictured, content)))


@bad("Image file", "a folder", "not readable as an image")
def _(folder: Path) -> None:
    (folder / "a.png").mkdir()
    read_picture(folder / "a.png")


@bad("Image file", "a link to itself", "not readable as an image")
def _(folder: Path) -> None:
    (folder / "a.png").symlink_to("a.png")
    read_picture(folder / "a.png")
