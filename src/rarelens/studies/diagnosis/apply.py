"""Label maps from saved scores, with the offsets that a diagnosis has fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rarelens.errors import RarelensError, refuse
from rarelens.measures.score_margins import score_margins
from rarelens.studies.data.files import read_json
from rarelens.studies.data.segmentation.collection import grid_of, save_labels
from rarelens.studies.diagnosis.diagnosis import find_classes
from rarelens.studies.diagnosis.files import predictions
from rarelens.studies.diagnosis.findings import gains
from rarelens.studies.diagnosis.scheme import Scheme
from rarelens.studies.diagnosis.scores import NIFTI, Scores, read_scores


def apply_offsets(
    diagnosis: Path,
    folder: Path,
    output: Path,
    classes: Sequence[str] = (),
    grids: Path | None = None,
    axes: str | None = None,
    written: Callable[[Path], object] = lambda _: None,
) -> dict[str, float]:
    """Write ``<case>.nii.gz`` for each case with scores in ``folder``.

    Each map lies on the grid of the label map beside the scores (nnU-Net writes one), or of the
    scores themselves where they are NIfTI.

    Args:
        diagnosis: folder or file of a ``diagnosis.json``.
        folder: predictions, as `rarelens.studies.diagnosis.files.predictions` takes them.
        output: folder for the label maps; not ``folder`` itself.
        classes: whose offsets are applied; by default those of which a gain was found.
        grids: a folder of images or label maps, for arrays without a label map beside them.
        axes: "xyz" or "zyx", of arrays that fit both ways.
        written: called with each file once it is there.

    Returns:
        The offsets applied, by class.

    Raises:
        RarelensError: if there is no diagnosis, no offset worth applying, a case has no scores or
            no grid, or a file is there already.
    """
    file = diagnosis / "diagnosis.json" if diagnosis.is_dir() else diagnosis
    content = read_json(file, "write it by: rarelens diagnose nnunet")
    scheme, offsets = _fitted(file, content, classes)
    found = predictions(folder)
    refuse(
        f"{case}: a label map alone; offsets need its scores" for case, own in found.items()
        if not own[0]
    )  # fmt: skip
    sources = {case: said or _grid(files[0], grids, case) for case, (files, said) in found.items()}
    targets = {case: output / f"{case}.nii.gz" for case in found}
    refuse(
        f"{path}: exists already; name another --output"
        for path in targets.values()
        if path.exists()
    )
    for case, (files, said) in found.items():
        shape, affine = grid_of(sources[case])
        try:
            scores = read_scores(files, scheme, shape[:3], said, axes)
            own = with_offsets(scheme, scores, offsets)
        except ValueError as error:
            raise RarelensError(f"{case} ({files[0]}): {error}") from error
        output.mkdir(parents=True, exist_ok=True)
        partial = targets[case].with_name(f".partial.{targets[case].name}")
        try:
            save_labels(partial, own.T if scores.reversed else own, affine)
            partial.rename(targets[case])
        finally:
            partial.unlink(missing_ok=True)
        written(targets[case])
    return {scheme.names[index]: value for index, value in offsets.items()}


def with_offsets(scheme: Scheme, scores: Scores, offsets: dict[int, float]) -> Any:
    """The label map of scores, on their axes, with numbers added to the logits of classes."""
    regions = scheme.regions is not None
    flat = scores.values.reshape(len(scores.values), -1)
    margins = score_margins(flat, scores.kind, regions).margins
    if regions:
        masks = [margins[index] + offsets.get(index, 0.0) > 0 for index in range(len(margins))]
        shaped = [mask.reshape(scores.values.shape[1:]) for mask in masks]
        return scheme.paint_labels(shaped)
    logits = flat.astype(np.float32)
    if scores.kind == "probabilities":
        logits = np.log(np.maximum(logits, np.finfo(scores.values.dtype).tiny))
    for index, value in offsets.items():
        logits[index] += value
    kind = np.uint8 if len(logits) <= 256 else np.uint16
    return logits.argmax(0).astype(kind).reshape(scores.values.shape[1:])


def _fitted(file: Path, content: Any, classes: Sequence[str]) -> tuple[Scheme, dict[int, float]]:
    try:
        rows, own = content["classes"], content["labels"]
        regions = None if own["regions"] is None else tuple(map(tuple, own["regions"]))
        paint = None if own["paint"] is None else tuple(own["paint"])
        scheme = Scheme(tuple(row["name"] for row in rows), regions, own["ignore"], paint)
        gaining = tuple(index for index, row in enumerate(rows) if index and gains(row))
        chosen = find_classes(scheme.names, classes) if classes else gaining
        found = {index: rows[index]["offset"]["value"] for index in chosen}
        fitted = {index: float(value) for index, value in found.items() if value is not None}
    except (KeyError, TypeError, OverflowError) as error:
        raise RarelensError(f"{file}: no diagnosis (wrong at {error}); write it anew") from error
    except ValueError as error:
        raise RarelensError(f"{file}: {error}") from error
    if not chosen:
        raise RarelensError(
            f"{file}: no offset gained anything on patients that it was not fitted on; name "
            "--classes to apply theirs all the same"
        )
    refuse(f"{file}: {scheme.names[i]}: no offset was fitted" for i in chosen if i not in fitted)
    return scheme, fitted


def _grid(scores: Path, folder: Path | None, case: str) -> Path:
    """The file that says where the scores of a case lie: their own, if it does."""
    if scores.name.endswith(NIFTI):
        return scores
    if folder is None:
        raise RarelensError(
            f"{case}: no label map beside its scores says where they lie; name --grids, a folder "
            "with a label map or image of each case"
        )
    places = [folder / f"{case}{own}{end}" for own in ("", "_0000") for end in NIFTI]
    for place in places:
        if place.is_file():
            return place
    raise RarelensError(f"{case}: no {places[0]}; --grids names a folder that holds it")
