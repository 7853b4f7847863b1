"""The ``.pkl`` files that nnU-Net writes: read without running what they name.

A pickle can name any function to be called. Here a stream may build plain containers, numbers and
strings, and NumPy's arrays and scalars of plain types, whose bytes are taken over by our own
classes; any other name is refused. Only version 1 needs it, for the box that it cropped to.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from rarelens.errors import RarelensError

PLAIN = "biufSU"  # Kinds of NumPy's types whose values are bytes alone.


class _Type:
    """Stands for ``numpy.dtype``."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.plain = np.dtype(str(name))
        if self.plain.kind not in PLAIN:
            raise pickle.UnpicklingError(f"an array of type {self.plain}")

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.plain = self.plain.newbyteorder(state[1])


class _Array:
    """Stands for ``numpy.ndarray``."""

    value: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        flat = np.frombuffer(content, kind.plain)
        self.value = flat.reshape(shape, order="F" if fortran else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(content: bytes, kind: _Type, shape: Any, order: str) -> Any:
    return np.frombuffer(content, kind.plain).reshape(shape, order="F" if order == "F" else "C")


def _scalar(kind: _Type, content: bytes) -> Any:
    return np.frombuffer(content, kind.plain)[0].item()


_KNOWN = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),  # Protocol 2's bytes.
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    **{
        (f"numpy.{core}.{module}", name): own
        for core in ("core", "_core")
        for module, name, own in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name}") from None


def read_pickle(file: Path) -> Any:
    """Plain values of a pickle; arrays as NumPy's, scalars as Python's.

    Raises:
        RarelensError: if it is missing, broken, or holds anything else.
    """
    try:
        return _plain(_Unpickler(io.BytesIO(file.read_bytes())).load())
    except FileNotFoundError as error:
        raise RarelensError(f"{file}: no such file; copy it from nnU-Net's folder") from error
    except Exception as error:
        raise RarelensError(
            f"{file}: not read, for it is broken or holds more than plain values ({error})"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(own) for own in value)
    return value
