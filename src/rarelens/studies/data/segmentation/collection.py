"""A collection of cases on disk, whatever its layout, and the reading of its files.

Image and label of a case, and the channel files of an image, must lie on one grid: equal shape,
and no corner of the grid displaced by more than `AFFINE_TOLERANCE`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.data.bounds import VOLUME, how_many, refuse_larger
from rarelens.studies.data.segmentation import itk_files

AFFINE_TOLERANCE = 1e-3
"""Largest displacement of a grid's corner, in mm, at which two affines count as equal."""

LONGEST_HEADER = 2**24
"""Bytes before the first voxel."""

ITK = {".mha": "MetaImage", ".nrrd": "NRRD"}
"""Endings of what is not NIfTI."""

LARGEST_LABEL = np.iinfo(np.uint16).max
_UNREADABLE = (
    ImageFileError, HeaderDataError, WrapStructError, zlib.error,
    OSError, EOFError, ValueError, TypeError, OverflowError, MemoryError, KeyError,
)  # fmt: skip

Affine = NDArray[np.float64]
Labels = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class CaseFiles:
    """One case: its image (a 3-D or 4-D file, or one file per channel) and its label map."""

    case: str
    images: tuple[Path, ...]
    label: Path | None


@dataclass(frozen=True)
class Collection:
    """A dataset as its layout describes it; a class's index is its value in the label maps."""

    name: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    cases: tuple[CaseFiles, ...]


def load_images(files: tuple[Path, ...]) -> tuple[NDArray[np.float32], Affine]:
    """Read the channels of one case.

    Args:
        files: a 3-D file, a 4-D file (channels last), or one file per channel.

    Returns:
        Image (C, X, Y, Z) and affine (4, 4), voxel index to mm.

    Raises:
        RarelensError: for each file that is unreadable, has NaN or infinite voxels or a singular
            affine, or disagrees with the first file in shape or affine.
    """
    problems: list[str] = []
    volumes: list[tuple[Path, NDArray[np.float32], Affine]] = []
    for file in files:
        try:
            volumes.append((file, *_load_image(file)))
        except RarelensError as error:
            problems += error.problems
    for file, data, affine in volumes[1:]:
        first, first_data, first_affine = volumes[0]
        other = grid_difference(data.shape[1:], affine, first_data.shape[1:], first_affine)
        if other:
            problems.append(f"{file}: {other} channel file {first.name}; give all one grid")
    if problems:
        raise RarelensError(*problems)
    return np.concatenate([data for _, data, _ in volumes]), volumes[0][2]


def load_label(file: Path) -> tuple[Labels, Affine]:
    """Read a label map.

    Returns:
        Labels (X, Y, Z), of the smallest unsigned type that holds them, and affine (4, 4).

    Raises:
        RarelensError: if the file is unreadable, is not 3-D, has a singular affine, or holds
            values that are no whole numbers from 0 upwards.
    """
    image = _open(file)
    data = _voxels(file, image, None)
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise RarelensError(f"{file}: a label map of shape {data.shape}; it must be 3-D")
    with np.errstate(invalid="ignore"):
        valid = (data >= 0) & (data <= LARGEST_LABEL) & (data == np.floor(data))
    if not valid.all():
        shown = ", ".join(f"{value:g}" for value in np.unique(data[~valid])[:5])
        raise RarelensError(
            f"{file}: label values {shown} are no whole numbers from 0 to {LARGEST_LABEL}; "
            "correct the label map"
        )
    return data.astype(label_type(int(data.max(initial=0)) + 1)), _affine(file, image)


def grid_of(file: Path) -> tuple[tuple[int, ...], Affine]:
    """Shape and affine of a file, as its header has them.

    Raises:
        RarelensError: if it is unreadable or the affine is singular.
    """
    image = _open(file)
    return image.shape, _affine(file, image)


def read_values(file: Path) -> NDArray[Any]:
    """The voxels of a file as they are, of any number of dimensions.

    Raises:
        RarelensError: if it is unreadable, or they are no plain numbers or more than are read.
    """
    return _voxels(file, _open(file), None)


def save_labels(file: Path, labels: Labels, affine: Affine) -> None:
    """Write a label map (X, Y, Z) as NIfTI; equal labels give equal bytes."""
    nib.save(nib.Nifti1Image(labels, affine), file)


def label_type(classes: int) -> type[np.unsignedinteger[Any]]:
    """The type of a label map of so many classes."""
    return np.uint8 if classes <= 256 else np.uint16


def grid_difference(
    shape: tuple[int, ...], affine: Affine, other_shape: tuple[int, ...], other_affine: Affine
) -> str | None:
    """Say how a grid differs from another, as the start of a sentence; None if it does not."""
    if shape != other_shape:
        return f"shape {tuple(shape)} differs from {tuple(other_shape)} of"
    corners = np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in shape))])
    displaced = np.linalg.norm((corners @ (affine - other_affine).T)[:, :3], axis=1).max()
    if displaced > AFFINE_TOLERANCE:
        return (
            f"affine differs by up to {displaced:.3g} mm "
            f"(tolerance {AFFINE_TOLERANCE:g} mm) from that of"
        )
    return None


def _load_image(file: Path) -> tuple[NDArray[np.float32], Affine]:
    image = _open(file)
    affine = _affine(file, image)
    data = _voxels(file, image, np.float32)
    if data.ndim not in (3, 4) or 0 in data.shape:
        raise RarelensError(f"{file}: an image of shape {data.shape}; it must be 3-D or 4-D")
    broken = data.size - int(np.count_nonzero(np.isfinite(data)))
    if broken:
        raise RarelensError(f"{file}: {broken} voxels are NaN or infinite; replace them")
    return np.moveaxis(data.reshape(*data.shape[:3], -1), 3, 0), affine


def _open(file: Path) -> Any:
    try:
        if file.suffix in ITK:
            return itk_files.read(file)
        _refuse_long_header(file)
        return nib.load(file)
    except FileNotFoundError as error:
        raise RarelensError(f"{file}: no such file; add it") from error
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error


def _refuse_long_header(file: Path) -> None:
    """Of NIfTI what lies before the voxels is read at once, however long it claims to be."""
    _, sniffed = nib.Nifti2Image.path_maybe_image(file)
    for kind, length in ((nib.Nifti1Header, 348), (nib.Nifti2Header, 540)):
        block = sniffed[0] if sniffed else b""
        if len(block) >= length and kind.may_contain_header(block):
            start = float(kind(block[:length], check=False)["vox_offset"])
            if not start <= LONGEST_HEADER:
                raise ImageFileError(f"its voxels begin at byte {start:g}")


def _voxels(file: Path, image: Any, dtype: type[np.float32] | None) -> NDArray[Any]:
    kind = image.get_data_dtype()
    if kind.kind not in "buif":
        raise RarelensError(
            f"{file}: voxels of type {kind}; they must be plain numbers (of complex ones store "
            "the magnitude, or both parts as channels)"
        )
    if min(image.shape, default=0) < 1:
        raise RarelensError(f"{file}: an image of shape {image.shape}; it must have voxels")
    # Read as float32, or as they are scaled, in double precision.
    size = how_many(image.shape) * (4 if dtype else max(kind.itemsize, 4))
    refuse_larger(size, VOLUME, f"{file}: its header, with shape {tuple(image.shape)},")
    try:
        if dtype is None:
            data: NDArray[Any] = np.asanyarray(image.dataobj)
        else:
            data = image.get_fdata(dtype=dtype, caching="unchanged")
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error
    return data


def _unreadable(file: Path, error: BaseException) -> RarelensError:
    reason = " ".join(str(error).split()) or type(error).__name__
    kind = ITK.get(file.suffix, "NIfTI")
    return RarelensError(f"{file}: not readable as {kind} ({reason}); copy the file anew")


def _affine(file: Path, image: Any) -> Affine:
    affine = np.asarray(image.affine, dtype=np.float64)
    if not np.isfinite(affine).all() or np.linalg.cond(affine[:3, :3]) > 1e6:
        raise RarelensError(f"{file}: its affine is singular; correct the header")
    return affine
