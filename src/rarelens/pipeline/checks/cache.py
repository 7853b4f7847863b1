"""Objects of DVC's cache that are not what their names say.

DVC (3.67) holds no object against its name when it restores it: `dvc checkout` puts a corrupted one
into its place without a word, and `dvc status` then calls it up to date.
"""

from __future__ import annotations

import hashlib
from configparser import ConfigParser, Error
from contextlib import suppress
from pathlib import Path

from rarelens.pipeline.checks.files.passed import Passed

READ = 2**31
"""Bytes that one look reads; further objects are left to the next."""
KEPT = "DVC cache"  # No dataset's name has a space.


def damaged_objects(dvc: Path = Path(".dvc"), most: int = READ) -> list[str]:
    """A sentence for each object whose bytes have another digest than its name.

    Those that were looked at before, and are as they were by size, time and inode, are not read
    again.

    Args:
        dvc: DVC's folder of the project; without one there is nothing to look at.
        most: bytes to read.
    """
    found = []
    with Passed(KEPT, "") as passed:
        for file in sorted(_folder(dvc).glob("files/md5/??/*")):
            name, stamp = file.parent.name + file.name, passed.stamp([file])
            if not stamp or len(name.removesuffix(".dir")) != 32 or passed.has(name, stamp):
                continue
            most -= file.stat().st_size
            if most < 0:
                continue
            if _md5(file) == name.removesuffix(".dir"):
                passed.add(name, stamp)
            else:
                found.append(
                    f"{file}: damaged in DVC's cache, and so is what was restored from it; remove "
                    "it and run `dvc repro`, which makes it anew"
                )
    return found


def _folder(dvc: Path) -> Path:
    """The cache, as DVC's two files of settings name it."""
    folder = dvc / "cache"
    for name in ("config", "config.local"):
        settings = ConfigParser(interpolation=None)
        with suppress(OSError, UnicodeDecodeError, Error):  # DVC itself tells a broken one.
            settings.read(dvc / name, encoding="utf-8")
            folder = dvc / settings.get("cache", "dir", fallback=str(folder.absolute()))
    return folder


def _md5(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
