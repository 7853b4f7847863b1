"""NIH ChestX-ray14: ``images*/``, ``Data_Entry_2017*.csv``, boxes, and lists of files.

Boxes are in the 1024² pixels of the release; other sizes are scaled copies of it. Boxes and lists
may be absent.

Source: Wang et al., ChestX-ray8, CVPR 2017 (and the release's notes on 14 labels).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from rarelens.studies.data.classification.collection import (
    Box,
    ImageCollection,
    ImageEntry,
    Official,
    Region,
    Source,
)
from rarelens.studies.data.files import (
    files_below,
    one_of,
    read_csv,
    read_list,
    refuse,
    repeated,
    visible,
)

CLASSES = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia",
    "Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening",
    "Hernia",
)  # fmt: skip
NEGATIVE = "No Finding"
OTHER_NAMES = {"Infiltrate": "Infiltration"}
LISTS: dict[Official, str] = {"train": "train_val_list.txt", "test": "test_list.txt"}
BOXES = "BBox_List_2017.csv"
BOX_FRAME = (1024, 1024)


def read(folder: Path, name: str) -> ImageCollection:
    """Read an NIH ChestX-ray14 folder; the group of an image is its patient.

    Raises:
        RarelensError: for files that are missing or malformed, labels that do not exist, images
            listed twice, in two lists, or not there, and boxes of images that are not listed.
    """
    pattern = "Data_Entry_2017*.csv"
    table = one_of(folder, visible(folder.glob(pattern)), pattern)
    found = read_csv(table, ("Image Index", "Finding Labels", "Patient ID"))
    rows = [(line, image, findings, patient) for line, (image, findings, patient) in found]
    _check_rows(table, rows)
    names = {image for _, image, _, _ in rows}
    files = _files(folder, table, names)
    official = _official(folder)
    regions = _regions(folder / BOXES, table, names)
    images = [
        ImageEntry(
            image=Path(image).stem,
            source=Source(files[image]),
            labels=tuple(float(label in findings.split("|")) for label in CLASSES),
            regions=tuple(regions[image]),
            group=patient,
            official=official.get(image),
        )
        for _, image, findings, patient in rows
    ]
    images.sort(key=lambda entry: entry.image)
    return ImageCollection(name, folder, CLASSES, tuple(images), LISTS)


def _check_rows(file: Path, rows: list[tuple[int, str, str, str]]) -> None:
    known = {*CLASSES, NEGATIVE}
    problems = [
        f"{file} line {line}: {image}: label {label!r} is not declared; choose from "
        f"{', '.join(CLASSES)} or {NEGATIVE}"
        for line, image, findings, _ in rows
        for label in findings.split("|")
        if label not in known
    ]
    problems += [
        f"{file} line {line}: {image}: no Patient ID; add it"
        for line, image, _, patient in rows
        if not patient
    ]
    stems = repeated(Path(image).stem for _, image, _, _ in rows)
    problems += [f"{file}: image {image} is listed twice; keep one" for image in stems]
    refuse(problems)


def _files(folder: Path, table: Path, names: set[str]) -> dict[str, Path]:
    """Where each listed image is."""
    folders = [path for path in sorted(folder.glob("images*")) if path.is_dir()]
    found = [file for path in folders for file in files_below(path, ".png") if file.name in names]
    files = {file.name: file for file in found}
    refuse(
        f"{Path(image).stem}: {folder / 'images'}*/{image}: no such file, though {table.name} "
        "lists it; add it"
        for image in sorted(names - files.keys())
    )
    twice = set(repeated(file.name for file in found))
    refuse(
        f"{file}: there is another image of that name; keep one"
        for file in found
        if file.name in twice
    )
    return files


def _official(folder: Path) -> dict[str, Official]:
    listed = {side: read_list(folder / file) or [] for side, file in LISTS.items()}
    both = sorted(set(listed["train"]) & set(listed["test"]))
    refuse(
        f"{folder}: image {image} is in {LISTS['train']} and {LISTS['test']}; keep it in one"
        for image in both
    )
    return {image: side for side, images in listed.items() for image in images}


def _regions(file: Path, table: Path, names: set[str]) -> dict[str, list[Region]]:
    """Boxes of each image; their columns are known by place, for the header has too many."""
    regions: dict[str, list[Region]] = defaultdict(list)
    if not file.is_file():
        return regions
    problems = []
    for line, (image, given, *cells) in read_csv(file, range(6)):
        label, at = OTHER_NAMES.get(given, given), f"{file} line {line}"
        box = _box(cells)
        if image not in names:
            problems.append(f"{at}: image {image} is not listed in {table.name}; remove it")
        elif label not in CLASSES:
            problems.append(f"{at}: {image}: label {given!r} is not declared; correct it")
        elif box is None:
            problems.append(f"{at}: {image}: box {cells} holds no numbers; correct it")
        else:
            regions[image].append(Region(CLASSES.index(label), at, box, frame=BOX_FRAME))
    refuse(problems)
    return regions


def _box(cells: list[str]) -> Box | None:
    try:
        x, y, width, height = (float(cell) for cell in cells)
    except ValueError:
        return None
    return x, y, width, height
