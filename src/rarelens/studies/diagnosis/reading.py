"""From the files of cases to their records, in several processes if wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from nibabel.affines import voxel_sizes

from rarelens.errors import RarelensError, refuse
from rarelens.studies.data.segmentation.collection import grid_difference, grid_of, load_label
from rarelens.studies.diagnosis.record import CaseRecord, case_record
from rarelens.studies.diagnosis.scheme import Scheme
from rarelens.studies.diagnosis.scores import NIFTI, read_scores


@dataclass(frozen=True)
class CaseSource:
    """The files of a case.

    Attributes:
        case: its name.
        patient: whose it is.
        side: "train" or "unseen".
        label: the true label map.
        scores: files of scores; none where there is a label map alone.
        predicted: the predicted label map, if there is one.
        fold: of a cross-validation.
        axes: "xyz" or "zyx", where the user says so.
    """

    case: str
    patient: str
    side: str
    label: Path
    scores: tuple[Path, ...] = ()
    predicted: Path | None = None
    fold: str = ""
    axes: str | None = None


def read_case(scheme: Scheme, source: CaseSource) -> CaseRecord | tuple[str, ...]:
    """The record of a case, or the sentences that say why there is none."""
    try:
        return _read(scheme, source)
    except RarelensError as error:
        return error.problems
    except (ValueError, MemoryError) as error:
        file = source.scores[0] if source.scores else source.predicted
        return (f"{source.case} ({file}): {error}",)


def read_cases(scheme: Scheme, sources: Sequence[CaseSource], jobs: int) -> list[CaseRecord]:
    """The records of all cases, in their order, whatever the number of processes.

    Raises:
        RarelensError: with a sentence for each case that cannot be read.
    """
    work = partial(read_case, scheme)
    if min(jobs, len(sources)) > 1:
        # Spawned: a fork would copy threads' locks of whatever is imported here.
        with ProcessPoolExecutor(min(jobs, len(sources)), get_context("spawn")) as pool:
            found = list(pool.map(work, sources))
    else:
        found = list(map(work, sources))
    refuse(problem for each in found if isinstance(each, tuple) for problem in each)
    return [each for each in found if isinstance(each, CaseRecord)]


def patient_of(case: str, expression: str | None) -> str:
    """Whose case it is: what the first bracket of ``expression`` finds in its name.

    Raises:
        RarelensError: if it finds nothing, or is no expression with a bracket.
    """
    if expression is None:
        return case
    try:
        match = re.search(expression, case)
        return str(match.group(1)) if match else _nothing(case, expression)
    except (re.error, IndexError) as error:
        raise RarelensError(
            f"--patients {expression!r}: {error}; give a regular expression with one bracket"
        ) from error


def _nothing(case: str, expression: str) -> str:
    raise RarelensError(f"{case}: --patients {expression!r} finds no patient in this name")


def _read(scheme: Scheme, source: CaseSource) -> CaseRecord:
    labels, affine = load_label(source.label)
    for file in (source.predicted, *source.scores[:1]):
        if file is not None and file.name.endswith(NIFTI):
            shape, own = grid_of(file)
            problem = grid_difference(shape[:3], own, labels.shape, affine)
            if problem:
                raise RarelensError(f"{file}: {problem} the labels, {source.label}")
    spacing = tuple(voxel_sizes(affine).tolist())
    where = {"patient": source.patient, "fold": source.fold}
    if not source.scores and source.predicted is not None:
        said, _ = load_label(source.predicted)
        return case_record(
            scheme, labels, source.case, source.side, predicted=said, spacing=spacing, **where
        )
    scores = read_scores(source.scores, scheme, labels.shape, source.predicted, source.axes)
    if scores.reversed:
        # The labels, not the scores: NIfTI's order in memory is the reverse.
        labels, spacing = labels.T, spacing[::-1]
    return case_record(
        scheme,
        labels,
        source.case,
        source.side,
        scores=scores.values,
        kind=scores.kind,
        spacing=spacing,
        **where,
    )
