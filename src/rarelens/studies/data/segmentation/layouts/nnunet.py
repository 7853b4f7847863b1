"""nnU-Net raw data: one file per channel (``case_0000``, ``case_0001``, …), one label map a case.

Source: Isensee et al., nnU-Net, Nature Methods 2021 (dataset format of version 2).
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pydantic import BaseModel

from rarelens.errors import RarelensError, refuse
from rarelens.studies.data.files import read_description, visible
from rarelens.studies.data.segmentation.collection import ITK, CaseFiles, Collection
from rarelens.studies.data.segmentation.description import FILE, numbered, numbered_classes

ENDINGS = (".nii.gz", ".nii", *ITK)


class Description(BaseModel):
    """What is needed of ``dataset.json``; channels by number, label values by class name."""

    channel_names: dict[str, str]
    labels: dict[str, int | list[int]]
    file_ending: str
    numTraining: int  # noqa: N815 (nnU-Net's spelling)


def read(folder: Path, name: str) -> Collection:
    """Read the labelled cases of an nnU-Net raw folder.

    Raises:
        RarelensError: for a description that is missing or wrong, an ignore label, a count of
            cases other than declared, and each missing or surplus file.
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
    if "ignore" in labels:
        raise RarelensError(
            f"{file}: labels: a study cannot train around an ignore label; give its voxels a "
            "class, or train with nnU-Net and read its folds by `rarelens diagnose nnunet`"
        )
    if any(isinstance(value, list) for value in labels.values()):
        return numbered_classes(file, _parts(labels))
    return numbered_classes(
        file, [(value, name) for name, value in labels.items() if isinstance(value, int)]
    )


def _parts(labels: dict[str, int | list[int]]) -> list[tuple[int, str]]:
    """The values that regions (unions of values) are made of, for classes exclude each other.

    A value bears the name of the smallest region that has it; where that has others too, with
    ``only`` behind it, or with the value if two would be called so: of tumour [1, 2] and core [2]
    they are ``tumour only`` and ``core``.
    """
    regions = {name: {value} if isinstance(value, int) else set(value)
               for name, value in labels.items()}  # fmt: skip
    values = sorted(set().union(*regions.values()))
    smallest = {
        value: min((len(own), name) for name, own in regions.items() if value in own)
        for value in values
    }
    shared = Counter(smallest.values())
    return [
        (value, name if size == 1 else f"{name} {value if shared[size, name] > 1 else 'only'}")
        for value, (size, name) in smallest.items()
    ]


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
