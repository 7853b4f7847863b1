"""Outputs are written whole or not at all: beside their place first, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError

ROOM = 2**26
"""Bytes that a training's output may take; a disk with less is as good as full."""


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` that takes its place when the block ends well.

    Raises:
        RarelensError: if ``target`` is a symbolic link (writing would go through it).
    """
    refuse_link(target)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    remove_folder(target)
    partial.rename(target)


def remove_folder(folder: Path) -> None:
    """Remove a folder, where there is one, so that a kill never leaves half of it in its place.

    It is renamed first. What a kill leaves of it beside its place goes the next time.
    """
    going = folder.with_name(f".{folder.name}.removed.partial")
    shutil.rmtree(going, ignore_errors=True)
    if folder.is_dir():
        folder.rename(going)
        shutil.rmtree(going)


def allocate(file: Path, size: int) -> None:
    """Take space on the disk for a file, as far as the system has a call for it.

    Raises:
        OSError: if there is not so much, naming the file.
    """
    with file.open("ab") as stream:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(stream.fileno(), 0, size)
            except OSError as error:
                # Some network file systems have no such call; there the first write will tell.
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise OSError(error.errno, error.strerror, str(file)) from error


def check_room(target: Path, size: int = ROOM) -> None:
    """Find out whether an output can be written, before what it costs to make it.

    Args:
        target: the file or folder to be written.
        size: bytes.

    Raises:
        OSError: if the folder that it would be in takes no new file, or its disk has less space.
    """
    folder = next(above for above in target.absolute().parents if above.exists())
    probe = folder / f".{target.name}.room.partial"
    try:
        allocate(probe, size)
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` in one step.

    Raises:
        RarelensError: if ``target`` is a symbolic link.
    """
    refuse_link(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(target)


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, in one step.

    Raises:
        ValueError: for NaN and infinity.
        RarelensError: if ``target`` is a symbolic link.
    """
    write_text(target, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(source: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: if it is no JSON.
    """
    return json.loads(source.read_text(encoding="utf-8"))


def refuse_link(target: Path) -> None:
    """Refuse to write where a symbolic link stands.

    Raises:
        RarelensError: if ``target`` is one.
    """
    if target.is_symlink():
        raise RarelensError(
            f"{target}: a symbolic link stands where an output would be written; remove the link"
        )
