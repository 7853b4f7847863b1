"""CheXpert: ``train.csv``, ``valid.csv``, ``test.csv``; CheXlocalize's masks where present.

Sources: Irvin et al., CheXpert, AAAI 2019; Saporta et al., Benchmarking saliency methods for
chest X-ray interpretation (CheXlocalize), Nature Machine Intelligence 2022.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PurePosixPath

from rarelens.errors import refuse
from rarelens.studies.data.classification.collection import (
    ImageCollection,
    ImageEntry,
    Official,
    Region,
    Source,
)
from rarelens.studies.data.classification.regions import outline_area, run_length_problem
from rarelens.studies.data.files import (
    OUTSIDE,
    is_file,
    is_outside,
    one_of,
    read_csv,
    read_json,
    repeated,
    visible,
)

CLASSES = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion",
    "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
OTHER_NAMES = {"Airspace Opacity": "Lung Opacity"}
LISTS: dict[Official, str] = {"train": "train.csv", "validation": "valid.csv", "test": "test.csv"}
VALUES = {"": 0.0, "0": 0.0, "1": 1.0, "-1": math.nan, "0.0": 0.0, "1.0": 1.0, "-1.0": math.nan}
RELEASE = "CheXpert-v1.0*"
MASKS = "gt_segmentations*.json"


def read(folder: Path, name: str) -> ImageCollection:
    """Read a CheXpert folder: its tables at the top, or in the folder named in ``Path``.

    Blank labels count as absent, −1 is uncertain (NaN); the group of an image is its patient.

    Raises:
        RarelensError: for files that are missing or malformed, values that are no labels, images
            listed twice or not there, and masks of images or findings that are not declared.
    """
    homes = [folder, *(path for path in sorted(folder.glob(RELEASE)) if path.is_dir())]
    images: list[ImageEntry] = []
    for side, file in LISTS.items():
        found = [home / file for home in homes if (home / file).is_file()]
        if found:
            images += _entries(folder, one_of(folder, found, file), side)
    if not images:
        refuse([f"{folder}: no image is listed in {', '.join(LISTS.values())}; add one of them"])
    refuse(
        f"{folder}: image {image} is listed twice in the tables; keep one"
        for image in repeated(entry.image for entry in images)
    )
    refuse(
        f"{entry.image}: {entry.source.file}: no such file, though a table lists it; add it"
        for entry in images
        if not is_file(entry.source.file)
    )
    regions = _regions(homes, {entry.image for entry in images})
    placed = [replace(entry, regions=tuple(regions[entry.image])) for entry in images]
    placed.sort(key=lambda entry: entry.image)
    return ImageCollection(name, folder, CLASSES, tuple(placed), LISTS)


def _entries(folder: Path, file: Path, side: Official) -> list[ImageEntry]:
    problems, entries = [], []
    for line, (name, *cells) in read_csv(file, ("Path", *CLASSES)):
        path = PurePosixPath(name)
        steps = _patient_on(path)
        problems += [
            f"{file} line {line}: {path}: {label} is {cell!r}; choose from 1, 0, -1 and blank"
            for label, cell in zip(CLASSES, cells, strict=True)
            if cell not in VALUES
        ]
        if is_outside(name):
            problems.append(f"{file} line {line}: {name!r} {OUTSIDE}")
        elif steps is None:
            problems.append(f"{file} line {line}: {path}: names no patient; correct it")
        else:
            entries.append(
                ImageEntry(
                    image="_".join(steps).removesuffix(path.suffix),
                    source=Source(_picture(folder, path)),
                    labels=tuple(VALUES.get(cell, math.nan) for cell in cells),
                    group=steps[0],
                    official=side,
                )
            )
    refuse(problems)
    return entries


def _patient_on(path: PurePosixPath) -> tuple[str, ...] | None:
    """The path from the patient's folder on."""
    for number, step in enumerate(path.parts[:-1]):
        if re.fullmatch(r"patient\d+", step):
            return path.parts[number:]
    return None


def _picture(folder: Path, path: PurePosixPath) -> Path:
    """Where a listed image is: ``Path`` names the release's folder, which may be this one."""
    whole = folder / path
    inner = folder.joinpath(*path.parts[1:])
    return inner if is_file(inner) and not is_file(whole) else whole


def _regions(homes: list[Path], images: set[str]) -> dict[str, list[Region]]:
    """CheXlocalize's masks by image; the empty ones stand for findings that are absent."""
    regions: dict[str, list[Region]] = defaultdict(list)
    problems = []
    for file in visible(file for home in homes for file in home.glob(MASKS)):
        content = read_json(file)
        if not isinstance(content, dict) or not all(isinstance(m, dict) for m in content.values()):
            refuse([f"{file}: no masks by image and finding; correct it"])
        for image, findings in sorted(content.items()):
            if image not in images:
                problems.append(f"{file}: image {image} is not listed in any table; remove it")
                continue
            for finding, outline in sorted(findings.items()):
                label, where = OTHER_NAMES.get(finding, finding), f"{file}: {finding}"
                wrong = run_length_problem(outline)
                if label not in CLASSES:
                    problems.append(f"{where}: {image}: not a finding of CheXpert; correct it")
                elif wrong:
                    problems.append(f"{where}: {image}: {wrong}")
                elif outline_area(outline):
                    # In the pixels of the full release; images may be a smaller copy.
                    height, width = outline["size"]
                    index = CLASSES.index(label)
                    frame = (width, height)
                    regions[image].append(Region(index, where, outline=outline, frame=frame))
    refuse(problems)
    return regions
