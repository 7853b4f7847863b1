"""The classes and channels of a ``dataset.json`` (MSD and nnU-Net): numbered names, checked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.studies.data.files import refuse, repeated

FILE = "dataset.json"


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


def numbered_classes(file: Path, labels: Iterable[tuple[str | int, str]]) -> tuple[str, ...]:
    """Classes in the order of their label values.

    Raises:
        RarelensError: as `numbered`; or if there is no foreground class, or two of one name.
    """
    classes = numbered(file, "labels", labels)
    if len(classes) < 2:
        raise RarelensError(f"{file}: labels: only {list(classes)}; declare a foreground class")
    check_once(file, "labels", classes)
    return classes


def check_once(file: Path, key: str, names: Iterable[str]) -> None:
    """Refuse names that are listed twice."""
    refuse(f"{file}: {key}: {name} is listed twice; keep one" for name in repeated(names))
