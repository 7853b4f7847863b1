"""From files on disk to prepared arrays: orient, crop, normalise, resample; then write them.

Crop and normalisation come before resampling, where the mask of non-zero voxels is still exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from rarelens.errors import RarelensError, warn
from rarelens.studies.data.bounds import VOLUME, refuse_larger
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.prepared import digest_of
from rarelens.studies.data.segmentation.collection import (
    Affine,
    CaseFiles,
    Collection,
    Labels,
    label_type,
    load_images,
    load_label,
    save_labels,
)
from rarelens.studies.data.segmentation.geometry import (
    AxisMap,
    Box,
    Shape,
    canonical,
    crop_affine,
    foreground_box,
    resample_labels,
    to_spacing,
)
from rarelens.studies.data.segmentation.intensity import normalise, per_channel
from rarelens.studies.data.segmentation.problems import find_problems
from rarelens.studies.data.segmentation.splits import assign_splits
from rarelens.studies.files import write_json
from rarelens.studies.settings.segmentation.datasets import Preprocess, Split


@dataclass(frozen=True)
class PreparedImage:
    """An image on its prepared grid, and the way there, for its label and the way back.

    Attributes:
        array: (C, X, Y, Z), normalised.
        affine: of the prepared grid (RAS+).
        source_shape: voxels along the case's own axes.
        source_affine: of the case's own grid.
        box: the crop, in voxels of the own grid turned to RAS+.
        axes: from the prepared grid to the cropped one; None where nothing is resampled.
    """

    array: NDArray[np.float16] | NDArray[np.float32]
    affine: Affine
    source_shape: Shape
    source_affine: Affine
    box: Box
    axes: AxisMap | None

    @property
    def grids(self) -> tuple[Affine, Shape, Affine]:
        """What `restore_labels` asks for besides logits."""
        return self.affine, self.source_shape, self.source_affine


def prepare_image(
    image: NDArray[np.float32], source_affine: Affine, settings: Preprocess
) -> PreparedImage:
    """Prepare an image (C, X, Y, Z) of the grid ``source_affine`` (4, 4), labelled or not.

    ``crop_margin`` is in voxels of the image's own grid.
    """
    source_shape = image.shape[1:]
    image, affine = canonical(image, source_affine)
    margin = settings.crop_margin if settings.crop_foreground else max(source_shape)
    box = foreground_box(image, margin)
    image = normalise(image[(slice(None), *box)], settings.intensity)
    affine, axes = crop_affine(affine, box), None
    if settings.spacing is not None:
        _refuse_spacing(image.shape, affine, settings.spacing)
        axes, affine = to_spacing(image.shape[1:], affine, settings.spacing)
        image = np.stack([axes.apply(volume, settings.image_interpolation) for volume in image])
    array = np.ascontiguousarray(image, dtype=settings.dtype)
    return PreparedImage(array, affine, source_shape, source_affine, box, axes)


def _refuse_spacing(shape: Shape, affine: Affine, spacing: tuple[float, float, float]) -> None:
    """Refuse a spacing that would make too much of an image (C, X, Y, Z) of this affine."""
    with np.errstate(all="ignore"):
        voxels = np.ceil(np.array(shape[1:]) * voxel_sizes(affine) / np.array(spacing))
    shown = " × ".join(f"{size:g}" for size in spacing)
    what = f"preprocess.spacing: at {shown} mm an image of shape {tuple(shape[1:])}"
    refuse_larger(float(np.maximum(voxels, 1).prod()) * shape[0] * 4, VOLUME, what)


def prepare_label(labels: Labels, prepared: PreparedImage, settings: Preprocess) -> Labels:
    """Bring a label map (X, Y, Z) of an image's own grid to that of the prepared image."""
    cropped = canonical(labels, prepared.source_affine)[0][prepared.box]
    if prepared.axes is not None:
        cropped = resample_labels(cropped, prepared.axes, settings.label_interpolation)
    return np.ascontiguousarray(cropped)


def prepare_dataset(
    name: str, layout: str, raw: Path, target: Path, settings: Preprocess, split: Split
) -> None:
    """Prepare all cases of a dataset and write them into the empty folder ``target``.

    Everything is checked before the first case is written.

    Raises:
        RarelensError: for each problem in the dataset, its files, its split or its settings.
    """
    collection = read_collection(layout, raw, name)
    per_channel(settings.intensity, len(collection.channels))
    splits = assign_splits([case.case for case in collection.cases], split, raw)
    problems = find_problems(collection)
    if problems:
        raise RarelensError(*problems)
    for folder in ("images", "labels", "foreground", "references"):
        (target / folder).mkdir()
    rows = [_write_case(case, collection, target, settings) for case in collection.cases]
    table = splits.merge(pd.DataFrame(rows), on="case", validate="one_to_one")
    _check_pool(name, collection, table)
    warn(_absent(name, collection, table))
    table.to_parquet(target / "cases.parquet", index=False)
    write_json(
        target / "dataset.json",
        {
            "name": name,
            "channels": list(collection.channels),
            "classes": list(collection.classes),
            "spacing": settings.spacing and list(settings.spacing),
            "dtype": settings.dtype,
        },
    )


def _write_case(
    case: CaseFiles, collection: Collection, target: Path, settings: Preprocess
) -> dict[str, Any]:
    """Write one case's files and return its row of the table."""
    assert case.label is not None
    classes = len(collection.classes)
    image, affine = load_images(case.images)
    warn(_constant(case, image))
    prepared = prepare_image(image, affine, settings)
    reference = load_label(case.label)[0].astype(label_type(classes))
    labels = prepare_label(reference, prepared, settings)
    np.save(target / "images" / f"{case.case}.npy", prepared.array)
    np.save(target / "labels" / f"{case.case}.npy", labels)
    np.save(target / "foreground" / f"{case.case}.npy", foreground_index(labels))
    save_labels(target / "references" / f"{case.case}.nii.gz", reference, prepared.source_affine)
    return {
        "case": case.case,
        "digest": digest_of((prepared.array, labels)),
        "shape": list(labels.shape),
        "spacing": voxel_sizes(prepared.affine).tolist(),
        "voxels": np.bincount(labels.ravel(), minlength=classes).tolist(),
        "affine": prepared.affine.ravel().tolist(),
        "source_shape": list(prepared.source_shape),
        "source_affine": prepared.source_affine.ravel().tolist(),
    }


def _constant(case: CaseFiles, image: NDArray[np.float32]) -> list[str]:
    """Sentences on channels (C, X, Y, Z) of a case that show nothing."""
    return [
        f"{case.case}: {case.images[0]}: channel {number} is {channel.flat[0]:g} throughout; "
        "look at the image"
        for number, channel in enumerate(image)
        if channel.min() == channel.max()
    ]


def _absent(name: str, collection: Collection, table: pd.DataFrame) -> list[str]:
    """Sentences on classes that no case of a side has."""
    sides = {side: np.stack(own.tolist()).sum(0) for side, own in table.groupby("split")["voxels"]}
    return [
        f"{name}: no {side} case has class {label}, so that nothing is said of it there; "
        f"draw another split (datasets.{name}.split), or enlarge it"
        for side in ("test", "validation")
        if side in sides
        for label, count in zip(collection.classes, sides[side], strict=True)
        if not count
    ]


def foreground_index(labels: Labels) -> NDArray[np.signedinteger[Any]]:
    """Flat indices (C order) of all foreground voxels, class by class, ascending within one."""
    flat = labels.ravel()
    inside = np.flatnonzero(flat)
    grouped = inside[np.argsort(flat[inside], kind="stable")]
    return grouped.astype(np.int32 if flat.size <= np.iinfo(np.int32).max else np.int64)


def _check_pool(name: str, collection: Collection, table: pd.DataFrame) -> None:
    voxels = np.stack(table.loc[table["split"] == "pool", "voxels"].tolist()).sum(axis=0)
    absent = [label for label, count in zip(collection.classes, voxels, strict=True) if not count]
    if absent:
        raise RarelensError(
            f"{name}: no voxel of class {', '.join(absent)} in the training pool; "
            "enlarge the pool, choose a finer spacing, or remove the class from dataset.json"
        )
