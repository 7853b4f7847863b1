"""Files of scores, and on which axes their voxels lie."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.data.bounds import VOLUME, refuse_larger
from rarelens.studies.data.prepared import DAMAGED
from rarelens.studies.data.segmentation.collection import load_label, read_values
from rarelens.studies.diagnosis.pickles import read_pickle
from rarelens.studies.diagnosis.scheme import Mask, Scheme

KEYS = ("probabilities", "softmax", "logits")
ARRAYS = (".npz", ".npy", ".h5", ".hdf5")
NIFTI = (".nii.gz", ".nii")
AGREEMENT = 0.8
"""Least Dice of the scores' foreground with the label map beside them that counts as the same."""
SUM_LIMIT = 1.01

# Beside NumPy's: of archives, and of HDF5, whose library tells all that it finds as RuntimeError.
_BROKEN = (*DAMAGED, KeyError, RuntimeError, zlib.error, lzma.LZMAError, struct.error)


class Scores(NamedTuple):
    """Scores (C, *spatial), and whether their axes are the label map's the other way round."""

    values: NDArray[Any]
    reversed: bool
    kind: str


def read_scores(
    files: Sequence[Path],
    scheme: Scheme,
    shape: tuple[int, ...],
    beside: Path | None,
    axes: str | None,
) -> Scores:
    """Read the scores of a case.

    Args:
        files: an array file, a 4-D NIfTI, or one NIfTI for each channel.
        scheme: how many channels there are.
        shape: of the case's label map, in the order of its file.
        beside: the label map that was written with the scores, to check axes against.
        axes: "xyz" or "zyx", of arrays that fit both ways and have no label map beside them.

    Raises:
        RarelensError: with file and cure, for what is not readable or does not fit.
    """
    if files[0].name.endswith(NIFTI):
        values = _nifti(files)
        fits = values.shape == (scheme.channels, *shape[::-1])
        candidates = [(values, True)] if fits else []
    else:
        values = _array(files[0])
        candidates = list(_candidates(values, scheme, shape))
        if not candidates:
            values = _uncropped(values, files[0], shape, scheme.regions is not None)
            candidates = list(_candidates(values, scheme, shape))
    if not candidates:
        raise RarelensError(
            f"{files[0]}: scores of shape {values.shape} for {scheme.channels} channels and labels "
            f"of shape {shape}: another number of classes, cropped, or on another grid; export "
            "them on the grid of the labels"
        )
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if not np.isfinite([low, high]).all():
        raise RarelensError(f"{files[0]}: a score is not finite (NaN or infinite); predict anew")
    kind = "logits" if low < 0 or high > SUM_LIMIT else "probabilities"
    found = [Scores(*each, kind) for each in candidates]
    return _chosen(found, scheme, files[0], beside, axes)


def _candidates(
    values: NDArray[Any], scheme: Scheme, shape: tuple[int, ...]
) -> Iterator[tuple[NDArray[Any], bool]]:
    """Channels first; each way in which the rest has the shape or its reverse."""
    if values.ndim != len(shape) + 1:
        return
    for axis in (0, -1):
        if values.shape[axis] == scheme.channels:
            moved = np.moveaxis(values, axis, 0)
            if moved.shape[1:] == shape[::-1]:
                yield moved, True
            if moved.shape[1:] == shape:
                yield moved, False


def _chosen(
    found: list[Scores], scheme: Scheme, file: Path, beside: Path | None, axes: str | None
) -> Scores:
    if beside is not None:
        said, _ = scheme.split(load_label(beside)[0])
        dice = [agreement(scheme, each, said) for each in found]
        known = [value for value in dice if value is not None]
        if known:
            best = int(np.argmax([-1.0 if value is None else value for value in dice]))
            if max(known) < AGREEMENT:
                raise RarelensError(
                    f"{file}: its largest class agrees with {beside.name} beside it in a Dice of "
                    f"{max(known):.2f} only, whichever way its axes are read; are both of one run?"
                )
            if sum(value == max(known) for value in known) == 1:
                return found[best]
    if axes is not None:
        found = [each for each in found if each.reversed == (axes == "zyx")]
        if not found:
            raise RarelensError(f"{file}: its shape does not fit labels with --axes {axes}")
    if len(found) > 1:
        raise RarelensError(
            f"{file}: shape {found[0].values.shape} fits the labels both ways, and no label map "
            "beside it tells which; say --axes xyz (as NIfTI) or zyx (as SimpleITK, nnU-Net)"
        )
    return found[0]


def agreement(scheme: Scheme, scores: Scores, said: Sequence[Mask]) -> float | None:
    """Dice of the foreground, class by class together; None where both are empty."""
    hit = total = 0
    decided = scheme.decide(scores.values, scores.kind)
    for own, other in zip(decided[1:], said[1:], strict=True):
        beside = other.T if scores.reversed else other
        hit += int(np.count_nonzero(own & beside))
        total += int(np.count_nonzero(own)) + int(np.count_nonzero(beside))
    return 2 * hit / total if total else None


def _nifti(files: Sequence[Path]) -> NDArray[Any]:
    """Scores with axes the other way round, (C, Z, Y, X): so they lie in memory."""
    parts = [read_values(file) for file in files]
    if len(parts) == 1 and parts[0].ndim == 4:
        return parts[0].T
    if any(part.shape != parts[0].shape or part.ndim != 3 for part in parts):
        raise RarelensError(f"{files[0]}: channels of different shapes; export them on one grid")
    return np.stack([part.T for part in parts])


def _array(file: Path) -> NDArray[Any]:
    try:
        values = _hdf5(file) if file.suffix in (".h5", ".hdf5") else _numpy(file)
    except _BROKEN as error:
        raise _unreadable(file, error) from error
    if values.dtype.kind != "f":
        raise RarelensError(f"{file}: values of type {values.dtype}; they must be floats")
    return values


def _numpy(file: Path) -> NDArray[Any]:
    # Never a pickle: object arrays are refused by NumPy.
    loaded: Any = np.load(file, mmap_mode="r", allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return np.asarray(loaded)
    with loaded:
        name = _key(list(loaded.files))
        sizes = {
            each.filename.removesuffix(".npy"): each.file_size for each in loaded.zip.infolist()
        }
        refuse_larger(sizes.get(name, 0), VOLUME, f"{file}: {name}")
        return np.asarray(loaded[name])


def _hdf5(file: Path) -> NDArray[Any]:
    import h5py

    with h5py.File(file, "r") as content:
        # Links may lead to any other file.
        own = [
            name for name in content if isinstance(content.get(name, getlink=True), h5py.HardLink)
        ]
        values = content[_key([name for name in own if isinstance(content[name], h5py.Dataset)])]
        if values.external or values.is_virtual:
            raise ValueError("its values lie in another file")
        refuse_larger(values.nbytes, VOLUME, f"{file}: {values.name}")
        return np.asarray(values[()])


def _key(names: list[str]) -> str:
    """The one array of a file, or the one of a known name."""
    known = [name for name in KEYS if name in names]
    if len(names) == 1 or known:
        return (known or names)[0]
    raise ValueError(f"it holds {', '.join(names) or 'nothing'}, none of {', '.join(KEYS)}")


def _uncropped(
    values: NDArray[Any], file: Path, shape: tuple[int, ...], regions: bool
) -> NDArray[Any]:
    """nnU-Net 1 keeps scores of the box that it cropped to: outside it, all is background."""
    properties = file.with_suffix(".pkl")
    if values.ndim != len(shape) + 1 or not properties.is_file():
        return values
    content = read_pickle(properties)
    box = content.get("crop_bbox", ()) if isinstance(content, dict) else ()
    try:
        place = tuple(slice(int(low), int(high)) for low, high in box)
    except (TypeError, ValueError, OverflowError):
        return values
    if len(place) != len(shape):
        return values
    full = np.zeros((len(values), *shape[::-1]), values.dtype)
    if not regions:
        full[0] = 1
    inside = full[(slice(None), *place)]
    if inside.shape != values.shape:
        return values
    inside[...] = values
    return full


def _unreadable(file: Path, error: BaseException) -> RarelensError:
    if isinstance(error, FileNotFoundError):
        return RarelensError(f"{file}: no such file; add it")
    reason = " ".join(str(error).split()) or type(error).__name__
    return RarelensError(f"{file}: not readable ({reason}); write it anew")
