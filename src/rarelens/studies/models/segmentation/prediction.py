"""Label maps for new, unlabelled images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.collection import Affine, Labels, save_labels
from rarelens.studies.data.segmentation.geometry import restore_labels
from rarelens.studies.data.segmentation.preprocessing import prepare_image
from rarelens.studies.models.segmentation.inference import dense_logits
from rarelens.studies.models.segmentation.model import load_model
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation

SUFFIXES = (".nii.gz", ".nii")


def predict(
    model: Path, images: Sequence[Path], output: Path, settings: ExtractSegmentation
) -> list[Path]:
    """Write one label map a case, on the case's own grid, into ``output``.

    Args:
        model: a folder ``models/segmentation/<cell>``.
        images: NIfTI files or folders of them. With a model of several channels, either 4-D
            files or files ``<case>_0000.nii.gz``, ``<case>_0001.nii.gz``, … of one case.
        output: folder, made where it is missing.
        settings: window overlap and batch.

    Returns:
        The files written.

    Raises:
        RarelensError: if there is no model or image, an image is unreadable or has other
            channels than the model, or a label map is there already.
    """
    network, card = load_model(model)
    cases = _group(images)
    targets = {case: output / f"{case}.nii.gz" for case in cases}
    if output.exists() and not output.is_dir():
        raise RarelensError(f"{output}: a file stands here; name another --output")
    if there := [str(file) for file in targets.values() if file.exists()]:
        raise RarelensError(f"{there[0]}: exists already; name another --output, or remove it")
    # All images are read once before the first label map is written.
    for case, files in cases.items():
        channels = len(prepare_image(files, card.preprocess).array)
        if channels != len(card.channels):
            raise RarelensError(
                f"{case} ({files[0]}): {channels} channels, but the model takes "
                f"{len(card.channels)} ({', '.join(card.channels)}); give those"
            )
    output.mkdir(parents=True, exist_ok=True)
    for case, files in cases.items():
        image = prepare_image(files, card.preprocess)
        logits = dense_logits(
            network, image.array, card.patch_size, settings.window_overlap, settings.window_batch
        )
        labels = restore_labels(logits, image.affine, image.source_shape, image.source_affine)
        _save_whole(targets[case], labels, image.source_affine)
    return list(targets.values())


def _save_whole(target: Path, labels: Labels, affine: Affine) -> None:
    """Write a label map beside its place, then rename it, so that none is ever half written."""
    # nibabel chooses the format by the suffix; `_group` passes hidden files over.
    partial = target.with_name(f".partial.{target.name}")
    try:
        save_labels(partial, labels, affine)
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
