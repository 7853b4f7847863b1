"""nnU-Net raw data: one file per channel (``case_0000``, ``case_0001``, …), one label map a case.

Source: Isensee et al., nnU-Net, Nature Methods 2021 (dataset format of version 2).
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from rarelens.errors import RarelensError
from rarelens.studies.data.files import read_description, refuse, visible
from rarelens.studies.data.segmentation.collection import CaseFiles, Collection
from rarelens.studies.data.segmentation.description import FILE, numbered, numbered_classes

ENDINGS = (".nii.gz", ".nii")


class Description(BaseModel):
    """What is needed of ``dataset.json``; channels by number, label values by class name."""

    channel_names: dict[str, str]
    labels: dict[str, int | list[int]]
    file_ending: str
    numTraining: int  # noqa: N815 (nnU-Net's spelling)


def read(folder: Path, name: str) -> Collection:
    """Read the labelled cases of an nnU-Net raw folder.

    Raises:
        RarelensError: for a description that is missing or wrong, region or ignore labels, a
            count of cases other than declared, and each missing or surplus file.
    """
    file = folder / FILE
    description = read_description(file, Description)
    classes = _classes(file, description.labels)
    channels = numbered(file, "channel_names", description.channel_names.items())
    if description.file_ending not in ENDINGS:
        raise RarelensError(
            f"{file}: file_ending: {description.file_ending!r}; convert to {' or '.join(ENDINGS)}"
        )
    cases = _cases(folder, description.file_ending, len(channels))
    if len(cases) != description.numTraining:
        raise RarelensError(
            f"{file}: numTraining: {description.numTraining}, but there are {len(cases)} cases in "
            f"{folder / 'labelsTr'}; correct one of them"
        )
    return Collection(name, channels, classes, cases)


def _classes(file: Path, labels: dict[str, int | list[int]]) -> tuple[str, ...]:
    regions = [name for name, value in labels.items() if isinstance(value, list)]
    if regions:
        raise RarelensError(
            f"{file}: labels: {', '.join(regions)}: regions (lists of values) are not supported; "
            "give each class one value"
        )
    if "ignore" in labels:
        raise RarelensError(f"{file}: labels: an ignore label is not supported; remove its voxels")
    return numbered_classes(
        file, [(value, name) for name, value in labels.items() if isinstance(value, int)]
    )


def _cases(folder: Path, ending: str, channels: int) -> tuple[CaseFiles, ...]:
    images, labels = _names(folder / "imagesTr", ending), _names(folder / "labelsTr", ending)
    ids = sorted(labels | {_case_of(image) for image in images})
    problems: list[str] = []
    cases = []
    for case in ids:
        wanted = [f"{case}_{channel:04d}" for channel in range(channels)]
        files = tuple(folder / "imagesTr" / f"{image}{ending}" for image in wanted)
        label = folder / "labelsTr" / f"{case}{ending}"
        cases.append(CaseFiles(case, files, label))
        problems += [
            f"{case}: {path}: no such file; add it"
            for path, there in [
                *((path, image in images) for path, image in zip(files, wanted, strict=True)),
                (label, case in labels),
            ]
            if not there
        ]
        images -= set(wanted)
    problems += [
        f"{_case_of(image)}: {folder / 'imagesTr' / image}{ending}: no channel of "
        f"{FILE}, which declares {channels}; remove or declare it"
        for image in sorted(images)
    ]
    refuse(problems)
    return tuple(cases)


def _case_of(image: str) -> str:
    return re.sub(r"_\d{4}$", "", image)


def _names(folder: Path, ending: str) -> set[str]:
    """File names without ending; without the ``._`` files that macOS leaves in archives."""
    return {path.name.removesuffix(ending) for path in visible(folder.glob(f"*{ending}"))}
