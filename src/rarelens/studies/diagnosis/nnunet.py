"""nnU-Net's own folders: which case was trained on, which is unseen, and what is missing.

Version 2 writes ``fold_k/validation/<case>.npz`` with the key ``probabilities``, version 1
``fold_k/validation_raw/<case>.npz`` with ``softmax``, both with ``--npz`` and beside the label map.
Axes are the reader's, z first; what a label map beside says is checked (`scores.read_scores`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError, refuse
from rarelens.studies.data.files import read_json
from rarelens.studies.diagnosis.descriptions import find_description, read_scheme
from rarelens.studies.diagnosis.pickles import read_pickle
from rarelens.studies.diagnosis.reading import CaseSource, patient_of
from rarelens.studies.diagnosis.scheme import Scheme

VALIDATION = ("validation", "validation_raw")
PREPROCESSED = "nnUNet_preprocessed"  # Also the name of the variable that names the folder.
SPLITS = ("splits_final.json", "splits_final.pkl")


@dataclass(frozen=True)
class Fold:
    """A trained fold: its folder, number, and nnU-Net's names for what it is of."""

    folder: Path
    number: str

    @property
    def dataset(self) -> str:
        """``Dataset904_Hippocampus``; of version 1 ``Task004_Hippocampus``."""
        return self.folder.parent.parent.name

    @property
    def first_version(self) -> bool:
        """Whether nnU-Net 1 trained it."""
        return self.dataset.startswith("Task")

    @property
    def validation(self) -> Path:
        """Where its predictions of the cases it did not train on are."""
        found = [self.folder / name for name in VALIDATION if (self.folder / name).is_dir()]
        return found[0] if found else self.folder / VALIDATION[self.first_version]

    @property
    def training(self) -> str:
        """What trains it anew, but for the trainer."""
        _, plans, configuration = self._names
        return f"nnUNetv2_train {self._dataset} {configuration} {self.number} -p {plans} --npz"

    @property
    def _names(self) -> tuple[str, str, str]:
        """Trainer, plans and configuration; in capitals where the folder does not tell."""
        names = [*self.folder.parent.name.split("__"), "PLANS", "CONFIGURATION"]
        return names[0], names[1], names[2]

    @property
    def _dataset(self) -> str:
        return re.sub(r"\D", "", self.dataset.partition("_")[0]) or self.dataset

    def command(self, training: bool) -> str:
        """What makes the probabilities of its validation or its training cases."""
        trainer, plans, configuration = self._names
        raw = f"nnUNet_raw/{self.dataset}/imagesTr"
        if self.first_version:
            configuration = self.folder.parent.parent.parent.name
            own = f"{configuration} {trainer} {self.dataset} {self.number} -p {plans}"
            if not training:
                return f"nnUNet_train {own} -val --npz"
            return (
                f"nnUNet_predict -i {raw} -o train_predictions -t {self.dataset} "
                f"-m {configuration} -tr {trainer} -p {plans} -f {self.number} --save_npz"
            )
        if not training:
            return (
                f"nnUNetv2_train {self._dataset} {configuration} {self.number} -tr {trainer} "
                f"-p {plans} --val --npz"
            )
        return (
            f"nnUNetv2_predict -i {raw} -o train_predictions -d {self._dataset} "
            f"-c {configuration} -tr {trainer} -p {plans} -f {self.number} --save_probabilities"
        )


@dataclass(frozen=True)
class Found:
    """Classes, cases, sentences about what is missing; the command that trains the fold anew."""

    scheme: Scheme
    sources: list[CaseSource]
    notes: list[str]
    command: str = ""


def find_cases(
    folders: Sequence[Path],
    labels: Path,
    train_predictions: Sequence[Path] = (),
    splits: Path | None = None,
    patients: str | None = None,
) -> Found:
    """The cases of one or several folds.

    Args:
        folders: ``fold_k``, or the folder above several of them.
        labels: a dataset's folder with ``labelsTr``, or a folder of label maps.
        train_predictions: of each fold, predictions of its training cases, in the same order; or
            one folder with a ``fold_k`` for each.
        splits: ``splits_final.json``; by default it is looked for.
        patients: a regular expression whose bracket finds the patient in a case's name.

    Raises:
        RarelensError: for folders that are none, cases without probabilities or labels, and
            cases on both sides.
    """
    folds = _folds(folders)
    scheme = read_scheme(find_description(folds[0].folder.parent, labels, labels.parent))
    maps = labels / "labelsTr" if (labels / "labelsTr").is_dir() else labels
    known = _splits(folds, labels, splits)
    predictions = _train_folders(folds, train_predictions)
    sources: list[CaseSource] = []
    notes: list[str] = []
    for fold, folder in zip(folds, predictions, strict=True):
        own = known[int(fold.number)] if known else {}
        unseen = _cases(fold.validation)
        expected = {str(case) for case in own.get("val", unseen)}
        refuse(
            f"{fold.validation}: no {case}.npz; make it by: {fold.command(training=False)}"
            for case in sorted(expected - unseen.keys() or ({"*"} if not unseen else set()))
        )
        refuse(
            f"{case}: in {fold.validation}, though by the splits fold {fold.number} was trained on "
            "it; name the right --splits"
            for case in sorted(unseen.keys() & set(own.get("train", ())))
        )
        trained = _trained(fold, folder, unseen, own)
        if folder is None:
            notes.append(
                f"The training side of fold {fold.number} is missing, so that nothing is said of "
                "overfitting: predict its training cases, and give the folder as "
                f"--train-predictions: {fold.command(training=True)}"
            )
        elif left := sorted(set(own.get("train", ())) - trained.keys()):
            notes.append(
                f"Training cases of fold {fold.number} without a prediction are left out: "
                + listed(left)
            )
        for side, cases in (("unseen", unseen), ("train", trained)):
            sources += [
                CaseSource(
                    case=case,
                    patient=patient_of(case, patients),
                    side=side,
                    label=_label(maps, case),
                    scores=(file,),
                    predicted=_beside(file),
                    fold=fold.number,
                    # Ties, as where nothing at all is predicted, are nnU-Net's order.
                    axes="zyx",
                )
                for case, file in cases.items()
            ]
    refuse(
        f"{source.case}: no label map {source.label}; --labels names the folder with labelsTr"
        for source in sources
        if not source.label.is_file()
    )
    # Of the first version, and by regions, rarelens has no trainers.
    trains = not folds[0].first_version and scheme.regions is None
    return Found(scheme, sources, notes, folds[0].training if trains else "")


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names by commas; of many the first, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _folds(folders: Sequence[Path]) -> list[Fold]:
    found = []
    for folder in map(Path.resolve, folders):
        inside = [own for own in folder.glob("fold_*") if _validation_of(own)]
        for own in sorted(inside) or [folder]:
            if not own.is_dir():
                raise RarelensError(f"{own}: no such folder; name nnU-Net's fold_0")
            if not re.fullmatch(r"fold_(\d+|all)", own.name):
                raise RarelensError(f"{own}: not a fold of nnU-Net; name its fold_0")
            number = own.name.removeprefix("fold_")
            if number == "all":
                raise RarelensError(
                    f"{own}: fold all was trained on every case, so none of its cases is unseen; "
                    "give a numbered fold, or new cases by: rarelens diagnose files"
                )
            found.append(Fold(own, number))
    return found


def _validation_of(folder: Path) -> bool:
    return folder.name != "fold_all" and any((folder / name).is_dir() for name in VALIDATION)


def _train_folders(folds: Sequence[Fold], given: Sequence[Path]) -> list[Path | None]:
    if not given:
        return [None] * len(folds)
    refuse(
        f"{path}: no such folder; name --train-predictions" for path in given if not path.is_dir()
    )
    if len(given) == 1 and all((given[0] / fold.folder.name).is_dir() for fold in folds):
        return [given[0] / fold.folder.name for fold in folds]
    if len(given) != len(folds):
        raise RarelensError(
            f"--train-predictions: {len(given)} folders for {len(folds)} folds; give one a fold, "
            "in the same order, for each fold was trained on other cases"
        )
    return list(given)


def _trained(
    fold: Fold, folder: Path | None, unseen: Mapping[str, Path], own: Mapping[str, Any]
) -> dict[str, Path]:
    """The training cases of a fold in a folder of predictions, which may hold others."""
    if folder is None:
        return {}
    cases = _cases(folder)
    if not cases:
        raise RarelensError(f"{folder}: no .npz; make them by: {fold.command(training=True)}")
    if own:
        kept = {case: file for case, file in cases.items() if case in set(own["train"])}
        if not kept:
            raise RarelensError(f"{folder}: none of the training cases of fold {fold.number}")
        return kept
    both = sorted(cases.keys() & unseen.keys())
    refuse(
        f"{case}: among the training predictions and the validation cases of fold {fold.number}; "
        "give --splits splits_final.json, which tells them apart"
        for case in both
    )
    return cases


def _cases(folder: Path) -> dict[str, Path]:
    files = sorted(folder.glob("*.npz"))
    return {file.stem: file for file in files if not file.name.startswith(".")}


def _beside(file: Path) -> Path | None:
    found = [file.with_name(file.stem + ending) for ending in (".nii.gz", ".nii")]
    return next((path for path in found if path.is_file()), None)


def _label(folder: Path, case: str) -> Path:
    plain = folder / f"{case}.nii"
    return plain if plain.is_file() else folder / f"{case}.nii.gz"


def _splits(trained: Sequence[Fold], labels: Path, given: Path | None) -> list[Mapping[str, Any]]:
    """The cases of each fold; nothing where no file of splits is found."""
    places = [given] if given else []
    fold, largest = trained[0], max(int(each.number) for each in trained)
    if not places:
        above = [
            root / PREPROCESSED for own in (fold.folder, labels.resolve()) for root in own.parents
        ]
        named = os.environ.get(PREPROCESSED)
        roots = [Path(named), *above] if named else above
        folders = [labels, *(root / fold.dataset for root in roots)]
        places = [folder / name for folder in folders for name in SPLITS]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        if given:
            raise RarelensError(f"{given}: no such file; name nnU-Net's splits_final.json")
        return []
    content = read_pickle(file) if file.suffix == ".pkl" else read_json(file)
    try:
        folds = [
            {side: [str(c) for c in own[side]] for side in ("train", "val")} for own in content
        ]
        folds[largest]
    except (TypeError, KeyError, IndexError) as error:
        raise RarelensError(
            f"{file}: no splits of fold {largest}; name the right --splits"
        ) from error
    return list(folds)
