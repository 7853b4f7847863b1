"""Read ``params.yaml``: the whole of it, or just the sections that a stage declares."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rarelens.errors import RarelensError

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


def check(value: Any, kind: type[T] | Any, path: str) -> Any:
    """Validate ``value`` as ``kind``; problems are told with their path below ``path``."""
    # By way of JSON, where strict types still let a list stand for a tuple.
    text = json.dumps(value, default=str)
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        problems = [p for p in error.errors() if not _is_echo(p)]
        raise RarelensError(*(_sentence(p, json.loads(text), path) for p in problems)) from error


def _is_echo(problem: Any) -> bool:
    """Whether a list is called too short only because its items, told besides, were refused."""
    short: bool = problem["type"] == "too_short"
    return short and len(problem["input"]) >= problem["ctx"]["min_length"]


def _sentence(problem: Any, value: Any, path: str) -> str:
    steps = _steps(problem, value)
    where = ".".join([path, *steps] if path else steps) or "(top level)"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"params.yaml: {where}: unknown key; remove or correct it"
    if problem["type"] == "missing":
        return f"params.yaml: {where}: missing; add it"
    if problem["type"] == "value_error":
        return f"params.yaml: {where}: {message}"
    if problem["type"] == "union_tag_invalid":
        key, known = problem["ctx"]["discriminator"].strip("'"), problem["ctx"]["expected_tags"]
        return f"params.yaml: {where}.{key}: there is no {problem['ctx']['tag']!r}; choose {known}"
    return f"params.yaml: {where}: {message}, not {problem['input']!r}"


def _steps(problem: Any, value: Any) -> list[str]:
    """The keys and indices that lead to a problem, without the names of types beside them."""
    steps = []
    for step in problem["loc"]:
        listed = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if listed or (isinstance(value, dict) and step in value):
            value = value[step]
            steps.append(str(step))
    missing = problem["type"] == "missing"
    return [*steps, str(problem["loc"][-1])] if missing else steps


def _lookup(raw: Any, path: str, file: Path) -> Any:
    for step in path.split("."):
        if not isinstance(raw, dict) or step not in raw:
            raise RarelensError(f"{file}: {path}: missing; add it")
        raw = raw[step]
    return raw
