"""Read ``params.yaml``: the whole of it, or just the sections that a stage declares."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rarelens.errors import RarelensError
from rarelens.studies.settings.checking import check

T = TypeVar("T")
FILE = Path("params.yaml")
LARGEST = 8 * 2**20
"""Bytes of a parameter file."""
MOST_VALUES = 200_000


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
    """Parse YAML 1.2, as DVC does (duplicate keys are refused).

    Raises:
        RarelensError: if it is missing, no YAML, or larger than parameters are: by itself, or by
            aliases that repeat what they name.
    """
    try:
        text = _text(file)
        # Aliases are followed before anything is made of them, for they may grow without end.
        if "*" in text and "&" in text:
            _refuse_explosion(file, text)
        return YAML(typ="safe", pure=True).load(text)
    except FileNotFoundError as error:
        raise RarelensError(f"{file}: no such file; run from the project's root") from error
    except RecursionError as error:
        raise RarelensError(f"{file}: nested too deeply to be read; correct it") from error
    # Of ruamel.yaml a broken date or number is a ValueError, a key that is a list a TypeError.
    except (YAMLError, ValueError, TypeError, AttributeError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise RarelensError(f"{file}: not readable as YAML: {reason}") from error


def _text(file: Path) -> str:
    if file.is_file() and file.stat().st_size > LARGEST:
        raise RarelensError(f"{file}: larger than {LARGEST >> 20} MiB; correct it")
    return file.read_text(encoding="utf-8")


def _refuse_explosion(file: Path, text: str) -> None:
    """Refuse aliases that lead to themselves, or make more than `MOST_VALUES` of the text."""
    sizes: dict[int, int] = {}

    def size(node: Any) -> int:
        """Values at and below a node, each alias counted as what it names."""
        if id(node) not in sizes:
            sizes[id(node)] = MOST_VALUES + 1  # Met again before it is known: it holds itself.
            pairs = node.value if isinstance(node.value, list) else []
            below = (each for pair in pairs for each in (pair if type(pair) is tuple else [pair]))
            sizes[id(node)] = 1 + sum(size(each) for each in below)
        return sizes[id(node)]

    with suppress(YAMLError):  # It is told when the text is loaded.
        if size(YAML(typ="safe", pure=True).compose(text)) > MOST_VALUES:
            raise RarelensError(
                f"{file}: its aliases (*) repeat themselves without end, or make more than "
                f"{MOST_VALUES} values; write the values out"
            )


def _lookup(raw: Any, path: str, file: Path) -> Any:
    for step in path.split("."):
        if not isinstance(raw, dict) or step not in raw:
            raise RarelensError(f"{file}: {path}: missing; add it")
        raw = raw[step]
    return raw
