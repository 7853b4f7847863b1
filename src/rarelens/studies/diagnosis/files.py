"""Predictions of any network in folders of files: which file is of which case."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rarelens.errors import RarelensError, refuse
from rarelens.studies.data.files import visible
from rarelens.studies.data.segmentation.collection import grid_of, load_label
from rarelens.studies.data.segmentation.description import FILE
from rarelens.studies.diagnosis.descriptions import read_scheme
from rarelens.studies.diagnosis.nnunet import Found, listed
from rarelens.studies.diagnosis.reading import CaseSource, patient_of
from rarelens.studies.diagnosis.scheme import Scheme
from rarelens.studies.diagnosis.scores import ARRAYS, NIFTI

LABELS = ("", "labelsTr", "labelsTs", "labelsVal")
NO_TRAINING = (
    "The training side is missing, so that nothing is said of overfitting: predict the training "
    "cases with the same network, and give the folder as --train"
)
MAPS_ALONE = (
    "Label maps alone: no margins, no shift, no offset; overlap, lesions and sizes only. Save "
    "probabilities to see more"
)


def find_files(
    test: Path,
    labels: Path,
    train: Path | None = None,
    classes: Sequence[str] = (),
    ignore: int | None = None,
    axes: str | None = None,
    patients: str | None = None,
) -> Found:
    """The cases of one or two folders of predictions.

    Args:
        test: predictions of unseen cases: ``<case>`` with .npz, .npy, .h5, a 4-D NIfTI, one
            ``<case>_0000.nii.gz`` for each channel, or label maps alone; a label map beside an
            array is used to check its axes.
        labels: a folder of label maps ``<case>.nii.gz``, or with ``labelsTr`` and ``labelsTs``.
        train: predictions of the cases that the network was trained on.
        classes: names, the background first; by default of a ``dataset.json`` in ``labels``.
        ignore: the label value of voxels that do not count.
        axes: "xyz" or "zyx", of arrays that fit both ways.
        patients: a regular expression whose bracket finds the patient in a case's name.

    Raises:
        RarelensError: for folders without predictions, cases without labels, and cases on both
            sides.
    """
    if axes not in (None, "xyz", "zyx"):
        raise RarelensError(f"--axes {axes}: xyz (as NIfTI) or zyx (as SimpleITK, nnU-Net)")
    sides = {"unseen": predictions(test)}
    if train is not None:
        sides["train"] = predictions(train)
        refuse(
            f"{case}: a prediction in {train} and in {test}; a case is trained on or unseen"
            for case in sorted(sides["train"].keys() & sides["unseen"].keys())
        )
    sources = [
        CaseSource(
            case=case,
            patient=patient_of(case, patients),
            side=side,
            label=_label(labels, case),
            scores=scores,
            predicted=said,
            axes=axes,
        )
        for side, own in sides.items()
        for case, (scores, said) in own.items()
    ]
    refuse(
        f"{source.case}: no label map {source.label}; --labels names the folder that holds it"
        for source in sources
        if not source.label.is_file()
    )
    notes = [] if train is not None else [NO_TRAINING]
    if train is not None and (left := _names(labels) - {source.case for source in sources}):
        notes.append(f"Label maps without a prediction are left out: {listed(sorted(left))}")
    if not all(source.scores for source in sources):
        refuse(
            f"{source.case}: a label map alone, beside cases with scores; save its scores, too"
            for source in sources
            if not source.scores and any(other.scores for other in sources)
        )
        notes.append(MAPS_ALONE)
    return Found(_scheme(labels, classes, ignore, sources), sources, notes)


def predictions(folder: Path) -> dict[str, tuple[tuple[Path, ...], Path | None]]:
    """By case, its files of scores (none: a label map alone), and its label map, if any.

    Raises:
        RarelensError: if there is none, or a case has two.
    """
    if not folder.is_dir():
        raise RarelensError(f"{folder}: no such folder; name one with predictions")
    arrays: dict[str, Path] = {}
    nifti: dict[str, Path] = {}
    for file in visible(folder.iterdir()):
        ending = next((end for end in (*ARRAYS, *NIFTI) if file.name.endswith(end)), None)
        if ending is None or file.name.startswith("."):
            continue
        own, case = (nifti if ending in NIFTI else arrays), file.name.removesuffix(ending)
        if case in own:
            raise RarelensError(f"{file}: {own[case].name} is of the same case; keep one")
        own[case] = file
    found: dict[str, tuple[tuple[Path, ...], Path | None]] = {
        case: ((file,), nifti.pop(case, None)) for case, file in arrays.items()
    }
    for case, files in _channels(nifti).items():
        if len(files) > 1 or len(grid_of(files[0])[0]) == 4:
            found[case] = (files, None)
        else:
            found[case] = ((), files[0])
    if not found:
        raise RarelensError(f"{folder}: no prediction ({', '.join((*ARRAYS, *NIFTI))}) in it")
    return dict(sorted(found.items()))


def _channels(nifti: Mapping[str, Path]) -> dict[str, tuple[Path, ...]]:
    """Put ``<case>_0000``, ``<case>_0001``, … together."""
    cases: dict[str, tuple[Path, ...]] = {}
    for name, file in sorted(nifti.items()):
        case = re.sub(r"_\d{4}$", "", name)
        key = case if f"{case}_0000" in nifti and f"{case}_0001" in nifti else name
        cases[key] = (*cases.get(key, ()), file)
    return cases


def _names(folder: Path) -> set[str]:
    """The cases of which there is a label map."""
    files = [
        file.name for own in LABELS for end in NIFTI for file in (folder / own).glob(f"*{end}")
    ]
    return {re.sub(r"\.nii(\.gz)?$", "", name) for name in files if not name.startswith(".")}


def _label(folder: Path, case: str) -> Path:
    places = [folder / own / f"{case}{end}" for own in LABELS for end in NIFTI]
    return next((place for place in places if place.is_file()), places[0])


def _scheme(
    labels: Path, classes: Sequence[str], ignore: int | None, sources: Sequence[CaseSource]
) -> Scheme:
    """Of the names given; else of a ``dataset.json``; else as many as the first case has."""
    if classes:
        return Scheme(tuple(classes), ignore=ignore)
    for folder in (labels, labels.parent):
        if (folder / FILE).is_file():
            return read_scheme(folder / FILE)
    if sources[0].scores:
        raise RarelensError(
            f"{labels}: there is no {FILE} that names the classes; give them: --classes "
            "background,lesion"
        )
    largest = max(int(load_label(source.label)[0].max(initial=0)) for source in sources)
    names = ("background", *(f"class {value}" for value in range(1, max(largest, 1) + 1)))
    return Scheme(names, ignore=ignore)
