"""Fingerprints compared: which definitions and packages differ from those of the last run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rarelens.pipeline.lineage.contents import differences
from rarelens.pipeline.lineage.stage import FINGERPRINTS

FOLDER = FINGERPRINTS.as_posix()
_SECTIONS = {"code", "files", "packages"}


def is_fingerprint(path: str) -> bool:
    """Whether a dependency is the folder of fingerprints or a file in it."""
    return path == FOLDER or path.startswith(f"{FOLDER}/")


def code_changes(
    old: bytes | None,
    new: bytes | None,
    path: str,
    names: tuple[bytes | None, bytes | None],
) -> list[str]:
    """Sentences on what differs between two contents of a fingerprint file.

    Args:
        old: as it was when the stage ran last; none where it is no longer known.
        new: as it will be.
        path: the file, named where its content says no more.
        names: the file of definitions' names as stage fingerprint wrote it last, and as it will be.
    """
    before, after = _parsed(old), _parsed(new)
    found = []
    if before.keys() >= _SECTIONS and after.keys() >= _SECTIONS:
        found = [*differences(before, after, *map(_parsed, names))]
        found += _versions(before["packages"], after["packages"])
    return found or [f"code {path.removeprefix(f'{FOLDER}/').removesuffix('.json')} changed"]


def _parsed(text: bytes | None) -> dict[str, Any]:
    try:
        value: Any = json.loads(text or b"")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"package {name} {old.get(name, 'not used')} → {new.get(name, 'not used')}"
