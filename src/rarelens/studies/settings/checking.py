"""Hold values of ``params.yaml`` against a type; what does not fit is told in sentences."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rarelens.errors import RarelensError

T = TypeVar("T")


def check(value: Any, kind: type[T] | Any, path: str) -> Any:
    """Validate ``value`` as ``kind``; problems are told with their path below ``path``."""
    # By way of JSON, where strict types still let a list stand for a tuple.
    try:
        text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        where = f"{path}: " if path else ""
        raise RarelensError(
            f"params.yaml: {where}keys that are no words, or values without end ({error}); "
            "correct them"
        ) from error
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
