"""Raw files that were read once and passed: they are read again only if they changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import rarelens.studies.data
from rarelens.studies.files import read_json, write_text

FOLDER = Path(".rarelens/checked")


class Passed:
    """What passed of a dataset, kept in a file of `FOLDER` when its block ends, however it ends.

    As DVC does, a file is taken for unchanged if its size, its time of change and its inode are;
    of a link, those of what it leads to. What passed by other code, or where ``about`` was
    another, has not passed.

    Args:
        name: of the dataset.
        about: what else a verdict on its files rests on; plain values.
    """

    def __init__(self, name: str, about: Any) -> None:
        self._file = FOLDER / f"{name}.json"
        self._about = [_code(), about]
        self._before: dict[str, str] = {}
        with suppress(OSError, ValueError):
            self._before = dict(read_json(self._file))
        self._now: dict[str, str] = {}

    def __enter__(self) -> Passed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._now != self._before:
            write_text(self._file, json.dumps(self._now))

    def stamp(self, files: Iterable[Path], about: Any = None) -> str:
        """What a case's files look like now; empty if one is missing. Take it before they are read.

        Args:
            files: of the case.
            about: as of the whole.
        """
        try:
            looks = [_look(file) for file in files]
        except OSError:
            return ""
        text = json.dumps([self._about, about, looks], default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def has(self, case: str, stamp: str) -> bool:
        """Whether a case passed when its files looked so."""
        if not stamp or self._before.get(case) != stamp:
            return False
        self._now[case] = stamp
        return True

    def add(self, case: str, stamp: str) -> None:
        """Let a case have passed."""
        if stamp:
            self._now[case] = stamp


def _look(file: Path) -> tuple[str, int, int, int]:
    found = file.stat()
    return str(file), found.st_size, found.st_mtime_ns, found.st_ino


@cache
def _code() -> str:
    """A digest of the code that reads and judges raw files."""
    digest = hashlib.sha256()
    for file in sorted(Path(rarelens.studies.data.__path__[0]).rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
