"""Read ``params.yaml``: the whole of it, or just the sections that a stage declares."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rarelens.errors import RarelensError
from rarelens.studies.settings.checking import check

T = TypeVar("T")
FILE = Path("params.yaml")


class Scope:
    """The parameters that one stage may read.

    Args:
        declared: dotted paths, the same as the stage's ``params`` in ``dvc.yaml``.
        file: the parameter file.

    Raises:
        RarelensError: if the file is missing or is no YAML, or a declared section is missing.
    """

    def __init__(self, declared: Iterable[str], file: Path = FILE) -> None:
        self.declared = tuple(declared)
        raw = read_yaml(file)
        self._values = {path: _lookup(raw, path, file) for path in self.declared}

    def get(self, path: str, kind: type[T] | Any) -> Any:
        """Validate the section at ``path`` as ``kind``.

        Raises:
            KeyError: if the stage does not declare ``path`` (a programming mistake).
            RarelensError: for each unknown key, wrong type or impossible value.
        """
        if path not in self._values:
            raise KeyError(f"{path} is read but not declared (declared: {self.declared})")
        return check(self._values[path], kind, path)


def read_yaml(file: Path) -> Any:
    """Parse YAML 1.2, as DVC does (duplicate keys are refused)."""
    try:
        return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RarelensError(f"{file}: no such file; run from the project's root") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise RarelensError(
            f"{file}: not readable as YAML: {' '.join(str(error).split())}"
        ) from error


def _lookup(raw: Any, path: str, file: Path) -> Any:
    for step in path.split("."):
        if not isinstance(raw, dict) or step not in raw:
            raise RarelensError(f"{file}: {path}: missing; add it")
        raw = raw[step]
    return raw
