"""The ``dataset.json`` of MSD and nnU-Net: read, checked, its numbered names put in order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rarelens.errors import RarelensError

FILE = "dataset.json"
M = TypeVar("M", bound=BaseModel)


def read_description(folder: Path, kind: type[M]) -> M:
    """Read ``folder/dataset.json`` as ``kind``.

    Raises:
        RarelensError: if it is missing or no JSON, and for each key that is missing or wrong.
    """
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8-sig")
        return kind.model_validate(json.loads(text))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RarelensError(
            f"{file}: no such file; put the dataset's folder, or a link to it, at {folder}"
        ) from error
    except ValidationError as error:
        raise RarelensError(*(_sentence(file, problem) for problem in error.errors())) from error
    except (ValueError, OSError) as error:
        raise RarelensError(f"{file}: not readable as JSON ({error}); correct it") from error


def numbered(file: Path, key: str, names: Iterable[tuple[str | int, str]]) -> tuple[str, ...]:
    """Names in the order of their numbers.

    Raises:
        RarelensError: unless the numbers are 0, 1, 2, … without a gap.
    """
    pairs = list(names)
    try:
        ordered = sorted((int(number), name) for number, name in pairs)
    except ValueError as error:
        raise RarelensError(f"{file}: {key}: {error}; number them 0, 1, 2, …") from error
    numbers = [number for number, _ in ordered]
    if not numbers or numbers != list(range(len(numbers))):
        raise RarelensError(
            f"{file}: {key}: numbered {numbers}; they must be 0, 1, 2, … without a gap"
        )
    return tuple(name for _, name in ordered)


def check_classes(file: Path, classes: tuple[str, ...]) -> None:
    """Refuse a dataset without foreground classes, or with two classes of one name."""
    if len(classes) < 2:
        raise RarelensError(f"{file}: labels: only {list(classes)}; declare a foreground class")
    check_once(file, "labels", classes)


def check_once(file: Path, key: str, names: Iterable[str]) -> None:
    """Refuse names that are listed twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RarelensError(*(f"{file}: {key}: {name} is listed twice; keep one" for name in twice))


def _sentence(file: Path, problem: object) -> str:
    assert isinstance(problem, dict)
    where = ".".join(str(step) for step in problem["loc"]) or "(top level)"
    if problem["type"] == "missing":
        return f"{file}: {where}: missing; add it"
    return f"{file}: {where}: {problem['msg']}; correct it"
