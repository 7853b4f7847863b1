"""Parameters: their values, read once, and how they differ from those of the last run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc.fs import localfs
from dvc.utils.serialize import load_path

from rarelens.errors import RarelensError

if TYPE_CHECKING:
    from dvc.dependency import ParamsDependency

_NONE = object()
_LONGEST = 60


class Values:
    """The values of parameter files.

    Args:
        files: values by a file's absolute path, for those that shall not be read from disk.
    """

    def __init__(self, files: dict[str, Any] | None = None) -> None:
        self._files = dict(files or {})

    def of(self, dependency: ParamsDependency) -> dict[str, Any]:
        """The values that a stage declares, by their dotted paths.

        Raises:
            RarelensError: if one is missing.
        """
        whole = self.file(dependency.fs_path)
        if not dependency.params:
            return dict(whole)
        try:
            return {path: _lookup(whole, path) for path in dependency.params}
        except KeyError as error:
            raise RarelensError(f"{dependency}: {error.args[0]}: missing; add it") from error

    def file(self, path: str) -> dict[str, Any]:
        """All values of a file, given by its absolute path.

        Raises:
            RarelensError: if there is no such file.
        """
        if path not in self._files:
            try:
                self._files[path] = load_path(path, localfs)
            except FileNotFoundError as error:
                raise RarelensError(f"{Path(path).name}: no such file") from error
        values: dict[str, Any] = self._files[path]
        return values


def changes(dependency: ParamsDependency, new: dict[str, Any]) -> list[str]:
    """Sentences on the values that differ from those of the last run, leaf by leaf."""
    old = dependency.hash_info.value or {}
    paths = dependency.params or list(dict.fromkeys([*new, *old]))
    return [
        sentence
        for path in paths
        for sentence in _differences(path, old.get(path, _NONE), new.get(path, _NONE))
    ]


def _lookup(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise KeyError(path)
    return value


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(f"{path}.{key}", old.get(key, _NONE), new.get(key, _NONE))
    elif _nested(old) and _nested(new) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}.{index}", *pair)
    elif _long(old) and _long(new) and _added(old, new) + _added(new, old):
        # Shown whole and cut, both would look alike.
        told = {"added": _added(old, new), "removed": _added(new, old)}
        yield f"{path}: " + "; ".join(f"{way} {_written(own)}" for way, own in told.items() if own)
    elif old is _NONE:
        yield f"{path}: new ({_written(new)})"
    elif new is _NONE:
        yield f"{path}: removed (was {_written(old)})"
    elif old != new:
        yield f"{path}: {_written(old)} → {_written(new)}"


def _nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict | list) for each in value)


def _long(value: Any) -> bool:
    return isinstance(value, list) and len(_written(value)) == _LONGEST


def _added(old: list[Any], new: list[Any]) -> list[Any]:
    return [each for each in new if each not in old]


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
