"""Decode pictures: PNG, JPEG, TIFF and the like, and the rows of npz arrays.

Pixels are taken as they are stored: an EXIF orientation is not applied (annotations are drawn on
stored pixels), transparency is dropped, and colour pictures of 16 bits are read as 8 bits, which
is what Pillow does.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rarelens.errors import RarelensError
from rarelens.studies.data.bounds import PICTURE, how_many, refuse_larger
from rarelens.studies.data.classification.collection import Source
from rarelens.studies.data.prepared import DAMAGED

GREY = ("L", "1", "LA", "La")
DEEP_GREY = ("I;16", "I;16L", "I;16B", "I;16N")
WIDE = ("I", "F")
# Pillow reads PostScript too, by running Ghostscript where that is installed.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, MemoryError,
    RuntimeError, OverflowError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip

# Beside NumPy's, of the standard library's archives; RuntimeError where one is encrypted.
_BROKEN = (*DAMAGED, RuntimeError, zlib.error, lzma.LZMAError, struct.error)


class Pictures:
    """Reads pictures; use it in a ``with`` block, for it keeps npz files open."""

    def __init__(self) -> None:
        self._members: dict[tuple[Path, str], NpzMember] = {}
        self._lock = Lock()

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members.values():
            member.close()

    def read(self, source: Source) -> NDArray[Any]:
        """Read the pixels of one picture.

        Returns:
            (H, W) or (H, W, 3): uint8 or uint16; float32 for grey pictures of 32 bits.

        Raises:
            RarelensError: if the picture is missing, unreadable, truncated, more than one, or
                has NaN or infinite pixels.
        """
        if source.member is None:
            return read_picture(source.file)
        with self._lock:
            key = (source.file, source.member)
            if key not in self._members:
                self._members[key] = NpzMember(*key)
            return self._members[key].row(source.row)


def read_picture(file: Path) -> NDArray[Any]:
    """Read one image file (see `Pictures.read`)."""
    try:
        with Image.open(file, formats=_FORMATS) as image:
            refuse_larger(how_many(image.size), PICTURE, f"{file}: its header")
            frames = getattr(image, "n_frames", 1)
            if frames == 1:
                return _checked(file, _pixels(image))
    except FileNotFoundError as error:
        raise RarelensError(f"{file}: no such file; add it") from error
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RarelensError(
            f"{file}: not readable as an image ({reason}); copy the file anew"
        ) from error
    raise RarelensError(f"{file}: holds {frames} pictures; store each as a file of its own")


class NpzMember:
    """An array within an npz file, read row by row without loading the whole of it.

    Raises:
        RarelensError: if there is no such array, or it is not stored row by row (C order).
    """

    def __init__(self, file: Path, name: str) -> None:
        self.file, self.name = file, name
        try:
            self._archive = zipfile.ZipFile(file)
            self._stream: IO[bytes] = self._archive.open(f"{name}.npy")
            version = np.lib.format.read_magic(self._stream)
            header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            self.shape, fortran, self.dtype = header(self._stream)
            if not self.shape or min(self.shape) < 0 or min(self.shape[1:], default=1) < 1:
                raise ValueError(f"shape {self.shape}")
        except FileNotFoundError as error:
            raise RarelensError(f"{file}: no such file; add it") from error
        except KeyError as error:
            raise RarelensError(f"{file}: there is no array {name}; add it") from error
        except _BROKEN as error:
            raise _npz_error(file, name, error) from error
        what = f"{file}: {name}, of shape {self.shape},"
        refuse_larger(how_many(self.shape[1:3]) + self.shape[0] // 10, PICTURE, what)
        if fortran and len(self.shape) > 1:
            raise RarelensError(
                f"{file}: {name} is in Fortran order; save np.ascontiguousarray of it"
            )
        self._start = self._stream.tell()

    def row(self, number: int) -> NDArray[Any]:
        """Row ``number``; rows in ascending order are read fastest."""
        try:
            self._stream.seek(self._start + number * self._bytes)
            data = self._stream.read(self._bytes)
            return np.frombuffer(data, self.dtype).reshape(self.shape[1:])
        except _BROKEN as error:
            raise _npz_error(self.file, f"{self.name} row {number}", error) from error

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._archive.close()

    @cached_property
    def _bytes(self) -> int:
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize


def _pixels(image: Image.Image) -> NDArray[Any]:
    if image.mode in GREY:
        return np.asarray(image.convert("L"))
    if image.mode in DEEP_GREY:
        return np.asarray(image).astype(np.uint16)
    if image.mode in WIDE:
        return np.asarray(image).astype(np.float32)
    return np.asarray(image.convert("RGB"))


def _checked(file: Path, pixels: NDArray[Any]) -> NDArray[Any]:
    broken = pixels.size - int(np.count_nonzero(np.isfinite(pixels)))
    if broken:
        raise RarelensError(f"{file}: {broken} pixels are NaN or infinite; replace them")
    return pixels


def _npz_error(file: Path, what: str, error: Exception) -> RarelensError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return RarelensError(f"{file}: {what}: not readable ({reason}); copy the file anew")
