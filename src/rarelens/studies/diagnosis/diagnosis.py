"""`Diagnosis`: fed case by case, it says why a class fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from rarelens.measures.arrays import Classes, class_names
from rarelens.measures.score_margins import KINDS
from rarelens.studies.diagnosis.record import CaseRecord, case_record
from rarelens.studies.diagnosis.results import diagnose
from rarelens.studies.diagnosis.scheme import Scheme


class Diagnosis:
    """Why does a class fail on unseen cases: overfitting, underfitting, a wrong boundary?

    Of every case a few kilobytes are kept, whatever its size: counts, sums and histograms
    (`rarelens.measures.class_summary`). No randomness: the same cases give the same numbers.

    Args:
        classes: names in the order of their labels, the background first, or how many there are.
        rare_classes: indices or names of those to mark as rare; by default the foreground classes
            that hold less than 5 % of all voxels.
        kind: "logits" or "probabilities", what `update` is fed.
        regions: the label values of each foreground class, where classes are regions that may
            overlap: the scores then have a channel for each, a sigmoid (or its logit).
        ignore: the label value of voxels that do not count.

    Raises:
        ValueError: for classes, regions or a kind that are none.

    Examples:
        >>> import numpy as np
        >>> diagnosis = Diagnosis(["background", "lesion"])
        >>> for case, lesion in [("a", 3.0), ("b", 5.0), ("c", 1.0), ("d", -1.0)]:
        ...     logits = np.array([[[2.0, 0.0]], [[0.0, lesion]]])  # (classes, *spatial)
        ...     diagnosis.update(logits, [[0, 1]], case, "train" if case in "ab" else "unseen")
        >>> lesion = diagnosis.compute()["classes"][1]
        >>> lesion["train"]["margin_mean"], lesion["unseen"]["margin_mean"]
        (4.0, 0.0)
        >>> lesion["unseen"]["misclassified"], lesion["shift"]["difference"], lesion["finding"]
        (0.5, -4.0, 'too few patients')
    """

    def __init__(
        self,
        classes: Classes,
        rare_classes: Sequence[int | str] | None = None,
        *,
        kind: str = "logits",
        regions: Sequence[Sequence[int]] | None = None,
        ignore: int | None = None,
    ) -> None:
        names = tuple(str(name) for name in class_names(classes))
        areas = None if regions is None else tuple(tuple(region) for region in regions)
        if kind not in KINDS:
            raise ValueError(f"kind is {' or '.join(KINDS)}, not {kind!r}")
        self.scheme = Scheme(names, areas, ignore)
        self.rare_classes = None if rare_classes is None else find_classes(names, rare_classes)
        self.kind = kind
        self.command = ""
        self.records: dict[tuple[str, str, str], CaseRecord] = {}

    @classmethod
    def of_scheme(
        cls, scheme: Scheme, rare_classes: Sequence[int] | None = None, command: str = ""
    ) -> Self:
        """Of classes that were read from files, and nnU-Net's command for training; for `add`."""
        diagnosis = cls(scheme.names, rare_classes)
        diagnosis.scheme, diagnosis.command = scheme, command
        return diagnosis

    def update(
        self,
        scores: Any,
        labels: Any,
        case: Any,
        side: str,
        *,
        patient: Any = None,
        spacing: Sequence[float] | None = None,
        fold: str = "",
    ) -> None:
        """Add a case; its arrays are not kept.

        Args:
            scores: (C, *spatial), NumPy or torch, of any float type and device.
            labels: true label map (*spatial).
            case: its name.
            side: "train" for cases that the network was trained on, "unseen" for others.
            patient: whose case it is; by default each case is a patient of its own.
            spacing: voxel size in mm, for the volumes of lesions.
            fold: of a cross-validation, in which a case is unseen once and seen often.

        Raises:
            ValueError: if anything does not fit, or the case was there before; nothing is added.
        """
        more = {"patient": patient, "spacing": spacing, "fold": fold}
        self.add(
            case_record(self.scheme, labels, case, side, scores=scores, kind=self.kind, **more)
        )

    def update_labels(self, predicted: Any, labels: Any, case: Any, side: str, **more: Any) -> None:
        """Add a case of which there is a label map alone: no margins, no offset.

        Args:
            predicted: label map (*spatial).
            labels: the true one.
            case: as of `update`, as the rest.
            side: "train" or "unseen".
            more: patient, spacing, fold.

        Raises:
            ValueError: as `update`.
        """
        self.add(case_record(self.scheme, labels, case, side, predicted=predicted, **more))

    def add(self, record: CaseRecord) -> None:
        """Add what `rarelens.studies.diagnosis.record.case_record` made, elsewhere perhaps.

        Raises:
            ValueError: if the case was there before.
        """
        if record.key in self.records:
            raise ValueError(f"case {record.case} was added before")
        self.records[record.key] = record

    def merge(self, other: Diagnosis) -> Self:
        """Add the cases of another one, and return this one.

        Raises:
            ValueError: if its classes differ, or a case is in both.
        """
        if self.scheme != other.scheme:
            raise ValueError("cannot merge: classes differ")
        if self.records.keys() & other.records.keys():
            raise ValueError("cannot merge: a case is in both")
        self.records |= other.records
        return self

    def compute(self, confidence: float = 0.95) -> dict[str, Any]:
        """What ``diagnosis.json`` holds.

        Args:
            confidence: of the intervals, which are over patients.

        Raises:
            ValueError: if there is no case, or ``confidence`` is not between 0 and 1.
        """
        records = [self.records[key] for key in sorted(self.records)]
        return diagnose(self.scheme, records, self.rare_classes, confidence, self.command)

    def write(self, folder: str | Path, notes: Sequence[str] = ()) -> dict[str, Any]:
        """Write ``index.html``, ``diagnosis.json`` and tables as CSV into ``folder``.

        Args:
            folder: need not exist; files of these names are replaced.
            notes: sentences for the page and the JSON.

        Returns:
            As `compute`.

        Raises:
            ValueError: as `compute`.
        """
        from rarelens.studies.diagnosis.page import write_diagnosis

        result = self.compute() | {"notes": list(notes)}
        records = [self.records[key] for key in sorted(self.records)]
        write_diagnosis(Path(folder), result, self.scheme, records)
        return result

    @classmethod
    def from_predictor(
        cls,
        predict: Callable[[Any], Any],
        cases: Iterable[Mapping[str, Any]],
        classes: Classes,
        **settings: Any,
    ) -> Self:
        """Predict cases one by one, and diagnose what comes out.

        Args:
            predict: from an image to its scores (C, *spatial), or (1, C, *spatial); called
                without gradients.
            cases: dictionaries with ``image``, ``label`` (*spatial), or (1, *spatial) as MONAI has
                it, ``case``, ``side``, and perhaps ``patient``, ``spacing`` and ``fold``.
            classes: as of the class itself.
            settings: its other arguments.
        """
        import torch

        diagnosis = cls(classes, **settings)
        for each in cases:
            with torch.no_grad():
                scores = predict(each["image"])
            label = each["label"]
            if scores.shape[:2] == (1, diagnosis.scheme.channels):
                scores = scores[0]
            if label.ndim == scores.ndim and label.shape[0] == 1:
                label = label[0]
            more = {key: each[key] for key in ("patient", "spacing", "fold") if key in each}
            diagnosis.update(scores, label, each["case"], each["side"], **more)
        return diagnosis


def find_classes(names: Sequence[str], wanted: Iterable[int | str]) -> tuple[int, ...]:
    """Indices of foreground classes that are given by name or index.

    Raises:
        ValueError: for one that is none.
    """
    found = []
    for each in wanted:
        index = names.index(each) if each in names else None
        if index is None and str(each).isdigit() and int(each) < len(names):
            index = int(each)
        if not index:
            raise ValueError(
                f"rare: {each!r} is no foreground class; choose from {', '.join(names[1:])}"
            )
        found.append(index)
    return tuple(sorted(set(found)))
