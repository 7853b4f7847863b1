"""Medical Segmentation Decathlon: a ``dataset.json`` that lists every image and its label.

Source: Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 2022.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from rarelens.errors import refuse
from rarelens.studies.data.files import OUTSIDE, is_file, is_outside, read_description
from rarelens.studies.data.segmentation.collection import CaseFiles, Collection
from rarelens.studies.data.segmentation.description import (
    FILE,
    check_once,
    numbered,
    numbered_classes,
)


class Entry(BaseModel):
    """A case, by paths relative to the folder."""

    image: str
    label: str


class Description(BaseModel):
    """What is needed of ``dataset.json``; channel and class names by their number."""

    modality: dict[str, str]
    labels: dict[str, str]
    training: list[Entry] = Field(min_length=1)


def read(folder: Path, name: str) -> Collection:
    """Read the labelled cases of an MSD folder.

    Raises:
        RarelensError: for a description that is missing or wrong, a case listed twice, and each
            listed file that is not there or is outside the folder.
    """
    file = folder / FILE
    description = read_description(file, Description)
    channels = numbered(file, "modality", description.modality.items())
    classes = numbered_classes(file, description.labels.items())
    refuse(
        f"{file}: training: {path!r} {OUTSIDE}"
        for entry in description.training
        for path in (entry.image, entry.label)
        if is_outside(path)
    )
    cases = [_case(folder, entry) for entry in description.training if not _by_macos(entry)]
    check_once(file, "training: case", (case.case for case in cases))
    refuse(
        f"{case.case}: {path}: no such file, though {file} lists it; add it"
        for case in cases
        for path in (*case.images, case.label)
        if path and not is_file(path)
    )
    return Collection(name, channels, classes, tuple(sorted(cases, key=lambda case: case.case)))


def _case(folder: Path, entry: Entry) -> CaseFiles:
    image = Path(entry.image)
    case = image.name.removesuffix(".gz").removesuffix(".nii")
    return CaseFiles(case, (folder / image,), folder / entry.label)


def _by_macos(entry: Entry) -> bool:
    """Whether the entry is a ``._`` file, which macOS puts beside each file in an archive."""
    return Path(entry.image).name.startswith("._")
