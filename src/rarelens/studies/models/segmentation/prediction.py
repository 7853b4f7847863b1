"""Label maps, and probabilities, for new images in files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.collection import Affine, load_images, save_labels
from rarelens.studies.data.segmentation.geometry import restore_labels, restore_probabilities
from rarelens.studies.models.batch import each_case, refuse_existing
from rarelens.studies.models.segmentation.segmenter import Segmenter

SUFFIXES = (".nii.gz", ".nii")
PROBABILITIES = "probabilities"


def segment(
    model: Segmenter,
    images: Sequence[Path],
    output: Path,
    *,
    probabilities: bool = False,
    overwrite: bool = False,
    bar: bool = False,
    written: Callable[[Path], object] = lambda _: None,
) -> None:
    """Write one label map a case, on the case's own grid, into ``output``; see `predict`.

    Raises:
        RarelensError: before anything is written, if there is no image or a file is there
            already; at the end, with a sentence for each image that is unreadable or has other
            channels than the model, when all others are written.
    """
    cases = _group(images)
    targets = {case: [output / f"{case}.nii.gz"] for case in cases}
    if probabilities:
        for case, files in targets.items():
            files.append(output / PROBABILITIES / f"{case}.nii.gz")
    refuse_existing(output, [file for files in targets.values() for file in files], overwrite)

    def write(case: str) -> None:
        files = cases[case]
        image, affine = load_images(files)
        try:
            prepared = model.prepare(image, affine)
            logits = model.logits(prepared.array)
        except RarelensError as error:
            raise RarelensError(f"{case} ({files[0]}): {error}") from error
        made: list[NDArray[Any]] = [restore_labels(logits, *prepared.grids)]
        if probabilities:
            made.append(np.moveaxis(restore_probabilities(logits, *prepared.grids), 0, -1))
        for target, array in zip(targets[case], made, strict=True):
            _save_whole(target, array, prepared.source_affine)
            written(target)

    each_case(cases, write, bar)


def _save_whole(target: Path, array: NDArray[Any], affine: Affine) -> None:
    """Write an image beside its place, then rename it, so that none is ever half written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # nibabel chooses the format by the suffix; `_group` passes hidden files over.
    partial = target.with_name(f".partial.{target.name}")
    try:
        save_labels(partial, array, affine)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _group(images: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """Files by case, the channels of one case in order."""
    files: list[Path] = []
    for path in images:
        if path.is_dir():
            inside = sorted(f for f in path.iterdir() if f.name.endswith(SUFFIXES))
            files += [file for file in inside if not file.name.startswith(".")]
        elif path.is_file() and path.name.endswith(SUFFIXES):
            files.append(path)
        else:
            raise RarelensError(f"{path}: no NIfTI file (.nii, .nii.gz) or folder of them")
    if not files:
        raise RarelensError(f"{images[0]}: no NIfTI file (.nii, .nii.gz) in it")
    named: dict[str, Path] = {}
    for file in files:
        name = file.name.removesuffix(".gz").removesuffix(".nii")
        if name in named:
            raise RarelensError(f"{file}: two images of one name ({named[name]}); rename one")
        named[name] = file
    return _cases(named)


def _cases(named: dict[str, Path]) -> dict[str, tuple[Path, ...]]:
    """Put ``<case>_0000``, ``<case>_0001``, … together; other numbers belong to a case's name."""
    cases: dict[str, tuple[Path, ...]] = {}
    for name, file in sorted(named.items()):
        case = re.sub(r"_\d{4}$", "", name)
        if case == name or f"{case}_0000" not in named:
            cases[name] = (file,)
            continue
        before = cases.get(case, ())
        if name != f"{case}_{len(before):04d}" or file.parent != (*before, file)[0].parent:
            raise RarelensError(
                f"{file}: channels are numbered _0000, _0001, … without a gap, in one folder, "
                f"and there is no other image {case}; rename or add files"
            )
        cases[case] = (*before, file)
    return cases
