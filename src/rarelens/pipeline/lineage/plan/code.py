"""Fingerprints compared: which definitions and packages differ from those of the last run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rarelens.pipeline.lineage.stage import FINGERPRINTS

FOLDER = FINGERPRINTS.as_posix()


def is_fingerprint(path: str) -> bool:
    """Whether a dependency is the folder of fingerprints or a file in it."""
    return path == FOLDER or path.startswith(f"{FOLDER}/")


def code_changes(old: bytes | None, new: bytes | None, path: str) -> list[str]:
    """Sentences on what differs between two contents of a fingerprint file.

    Args:
        old: as it was when the stage ran last; none where it is no longer known.
        new: as it will be.
        path: the file, named where its content says no more.
    """
    before, after = _parsed(old), _parsed(new)
    found = list(_differences(before, after)) if before and after else []
    return found or [f"code {path.removeprefix(f'{FOLDER}/').removesuffix('.json')} changed"]


def _parsed(text: bytes | None) -> dict[str, dict[str, str]]:
    try:
        value: Any = json.loads(text or b"")
        return {section: dict(value[section]) for section in ("code", "packages")}
    except (ValueError, KeyError, TypeError):
        return {}


def _differences(
    before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]
) -> Iterator[str]:
    old, new = before["code"], after["code"]
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"{name} now used"
        elif name not in new:
            yield f"{name} no longer used"
        elif old[name] != new[name]:
            yield f"{name} changed"
    old, new = before["packages"], after["packages"]
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"package {name} {old.get(name, 'not used')} → {new.get(name, 'not used')}"
