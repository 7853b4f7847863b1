"""Volumes as ITK and 3D Slicer write them in one file: MetaImage (``.mha``) and NRRD (``.nrrd``).

Formats: https://itk.org/Wiki/ITK/MetaIO/Documentation, https://teem.sourceforge.net/nrrd/format.html.
Coordinates become nibabel's, RAS+ in mm.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from rarelens.studies.data.bounds import VOLUME, how_many, refuse_larger

LONGEST_HEADER = 2**20
_METAIMAGE = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_NRRD = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "unsigned char": "u1", "uchar": "u1",
    "uint8": "u1", "uint8_t": "u1", "short": "i2", "short int": "i2", "signed short": "i2",
    "signed short int": "i2", "int16": "i2", "int16_t": "i2", "unsigned short": "u2",
    "unsigned short int": "u2", "ushort": "u2", "uint16": "u2", "uint16_t": "u2", "int": "i4",
    "signed int": "i4", "int32": "i4", "int32_t": "i4", "unsigned int": "u4", "uint": "u4",
    "uint32": "u4", "uint32_t": "u4", "longlong": "i8", "long long": "i8", "long long int": "i8",
    "signed long long": "i8", "signed long long int": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "unsigned long long int": "u8", "uint64": "u8",
    "uint64_t": "u8", "float": "f4", "double": "f8",
}  # fmt: skip
# What turns a space into RAS+.
_SPACES = {
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
}  # fmt: skip


class _Header(NamedTuple):
    """``sizes`` as in the file, the fastest axis first; ``vectors``: the axis of channels."""

    kind: str
    big: bool
    packed: bool
    sizes: tuple[int, ...]
    vectors: int | None
    directions: NDArray[np.float64]
    origin: NDArray[np.float64]


def read(file: Path) -> Any:
    """A volume as a nibabel image (X, Y, Z), or (X, Y, Z, C) where a voxel has several numbers.

    Raises:
        ValueError: if the file is not as its format has it, or of a kind that is not read: of
            other than three dimensions, without orientation, with its voxels in a file apart.
        RarelensError: if it claims to hold too much.
        OSError: if it cannot be read.
    """
    with file.open("rb") as stream:
        header = (_metaimage if file.suffix == ".mha" else _nrrd)(_lines(stream))
        kind = np.dtype(header.kind).newbyteorder(">" if header.big else "<")
        wanted = how_many(header.sizes) * kind.itemsize
        refuse_larger(wanted, VOLUME, f"{file}: its header, with shape {header.sizes},")
        # No more is unpacked than the header says.
        data = zlib.decompressobj(47).decompress(stream.read(), wanted) if header.packed else (
            stream.read(wanted)
        )  # fmt: skip
    if len(data) != wanted:
        raise ValueError(f"{len(data)} bytes of voxels instead of {wanted}")
    voxels = np.frombuffer(data, kind).reshape(header.sizes, order="F")
    if header.vectors is not None:
        voxels = np.moveaxis(voxels, header.vectors, -1)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = header.directions.T, header.origin
    native = voxels.astype(kind.newbyteorder("="))
    return nib.Nifti1Image(native, affine, dtype=native.dtype)


def _lines(stream: Any) -> Any:
    """Lines of the header, stripped, as they are asked for."""
    left = LONGEST_HEADER
    while left > 0:
        line = stream.readline(left)
        if not line:
            break
        left -= len(line)
        yield line.decode("latin-1").strip()
    raise ValueError("its header has no end")


def _metaimage(lines: Any) -> _Header:
    fields: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    if fields["ElementDataFile"] != "LOCAL":
        raise ValueError("its voxels are in a file apart")
    sizes = _sizes(fields.get("DimSize", "").split(), 3)
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    directions = _numbers(fields.get("TransformMatrix", "1 0 0 0 1 0 0 0 1"), 9).reshape(3, 3)
    spacing = _numbers(fields.get("ElementSpacing", "1 1 1"), 3)
    ras = np.array(_SPACES["lps"])
    return _Header(
        kind=_METAIMAGE[fields.get("ElementType", "").removesuffix("_ARRAY")],
        big="True" in (fields.get("BinaryDataByteOrderMSB"), fields.get("ElementByteOrderMSB")),
        packed=fields.get("CompressedData") == "True",
        sizes=(channels, *sizes) if channels > 1 else sizes,
        vectors=0 if channels > 1 else None,
        directions=directions * spacing[:, None] * ras,
        origin=_numbers(fields.get("Offset", fields.get("Position", "0 0 0")), 3) * ras,
    )


def _nrrd(lines: Any) -> _Header:
    if not next(lines).startswith("NRRD"):
        raise ValueError("it does not begin with NRRD")
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            break
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    if "data file" in fields or "datafile" in fields:
        raise ValueError("its voxels are in a file apart")
    if fields.get("space", "").lower() not in _SPACES:
        raise ValueError("it has no orientation (space) among " + ", ".join(_SPACES))
    ras = np.array(_SPACES[fields["space"].lower()])
    axes = re.findall(r"none|\([^)]*\)", fields.get("space directions", ""))
    vectors = axes.index("none") if "none" in axes else None
    directions = [_numbers(axis, 3) for axis in axes if axis != "none"]
    if len(directions) != 3 or fields.get("encoding") not in ("raw", "gzip", "gz"):
        raise ValueError("it must have three directions, and be raw or gzip")
    return _Header(
        kind=_NRRD[fields.get("type", "").removesuffix("_t")],
        big=fields.get("endian") == "big",
        packed=fields["encoding"] != "raw",
        sizes=_sizes(fields.get("sizes", "").split(), len(axes)),
        vectors=vectors,
        directions=np.stack(directions) * ras,
        origin=_numbers(fields.get("space origin", "0 0 0"), 3) * ras,
    )


def _sizes(words: list[str], axes: int) -> tuple[int, ...]:
    sizes = tuple(map(int, words))
    if len(sizes) != axes or min(sizes) < 1:
        raise ValueError(f"of {axes} axes, sizes {' '.join(words)}")
    return sizes


def _numbers(text: str, many: int) -> NDArray[np.float64]:
    numbers = np.array([float(word) for word in re.split(r"[\s,()]+", text) if word])
    if numbers.shape != (many,):
        raise ValueError(f"{text!r}: {many} numbers are wanted")
    return numbers
