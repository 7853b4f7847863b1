"""What was read from the code, remembered for the same bytes of it.

To read closures takes as long as a short stage works. What they are depends on the code alone, so
that a stage of another cell, or after a change of parameters, need not read them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import rarelens
from rarelens.studies.files import write_text

FOLDER = Path(".rarelens/closures")


class Remembered:
    """Values by texts, for the code as it is now; what was remembered of other code goes.

    Args:
        name: of what remembers them, its own file.
        scripts: the folder of stage scripts, which count beside rarelens itself.
    """

    def __init__(self, name: str, scripts: Path) -> None:
        self._file = FOLDER / f"{name}.json"
        self._scripts = scripts
        self._code = digest_of(_code(scripts))
        self._known = self._read()
        self._more: dict[str, Any] = {}

    def get(self, text: str) -> Any:
        """What was kept for this text; None where nothing was."""
        return self._known.get(text)

    def keep(self, text: str, value: Any) -> None:
        """Keep a value, which JSON can hold, once `write` is called."""
        self._more[text] = value

    def write(self) -> None:
        """Write what is to be kept, unless the code has changed meanwhile."""
        if not self._more or digest_of(_code(self._scripts)) != self._code:
            return
        known = self._read() | self._more
        # To remember nothing costs time alone.
        with suppress(OSError):
            write_text(self._file, json.dumps({"code": self._code, "known": known}))

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError, TypeError, KeyError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
            if found["code"] == self._code:
                return dict(found["known"])
        return {}


def digest_of(parts: Iterable[bytes]) -> str:
    """One digest of parts, in their order."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def _code(scripts: Path) -> Iterator[bytes]:
    """Names and contents of all files of which closures are read."""
    for folder, pattern in ((Path(rarelens.__file__).parent, "**/*"), (scripts, "*.py")):
        for file in sorted(folder.glob(pattern)):
            if file.is_file() and file.suffix != ".pyc":
                yield str(file.relative_to(folder)).encode()
                yield file.read_bytes()
