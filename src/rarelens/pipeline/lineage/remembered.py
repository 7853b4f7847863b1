"""What was read from the code, remembered for the same bytes of it.

To read closures takes as long as a short stage works. What they are depends on the code alone, so
that a stage of another cell, or after a change of parameters, need not read them again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import rarelens
from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.closures import RESOURCES
from rarelens.studies.files import write_text

FOLDER = Path(".rarelens/closures")
# What closures are read from: endings of files.
KINDS = (".py", *(pattern.rpartition("/")[2].lstrip("*") for pattern in RESOURCES))


class Remembered:
    """Values by keys, for the code as it is now; what was remembered of other code goes.

    Args:
        name: of the file that remembers them.
        scripts: the folder of stage scripts, which count beside rarelens itself.
    """

    def __init__(self, name: str, scripts: Path) -> None:
        self._file = FOLDER / f"{name}.json"
        self._scripts = scripts
        self._code = _digest_of_code(scripts)
        self._known = self._read()
        self._more: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """What was kept for this key; None where nothing was."""
        return self._known.get(key)

    def keep(self, key: str, value: Any) -> None:
        """Keep a value, which JSON can hold, once `write` is called; a set becomes a list."""
        self._more[key] = value

    def write(self) -> None:
        """Write what is to be kept, unless the code has changed meanwhile."""
        if not self._more or not self._code or _digest_of_code(self._scripts) != self._code:
            return
        known = self._read() | self._more
        # To remember nothing costs time alone.
        with suppress(OSError, RarelensError):
            write_text(self._file, json.dumps({"code": self._code, "known": known}, default=sorted))

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError, TypeError, KeyError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
            if self._code and found["code"] == self._code:
                return dict(found["known"])
        return {}


def _digest_of_code(scripts: Path) -> str:
    """Of all code, and of the Python that reads it; empty where it cannot be told."""
    whole = hashlib.sha256()
    with suppress(OSError):
        for part in _code(scripts):
            whole.update(hashlib.sha256(part).digest())
        return whole.hexdigest()
    return ""


def _code(scripts: Path) -> Iterator[bytes]:
    """Names and contents.

    Raises:
        OSError: of a file that cannot be read, and of a linked folder, which may have no end.
    """
    yield sys.version.encode()
    for folder in (Path(rarelens.__file__).parent, scripts):
        for top, folders, files in os.walk(folder):
            if any(Path(top, each).is_symlink() for each in folders):
                raise OSError(f"{top}: a folder in it is a link")
            folders.sort()
            for name in sorted(each for each in files if each.endswith(KINDS)):
                yield str(Path(top, name).relative_to(folder)).encode()
                yield Path(top, name).read_bytes()
