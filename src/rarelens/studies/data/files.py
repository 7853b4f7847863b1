"""What layouts share: CSV, JSON and text files, and files looked up by pattern."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rarelens.errors import RarelensError, refuse, shortened

M = TypeVar("M", bound=BaseModel)
OUTSIDE = "is outside the dataset's folder, where no change would be noticed; correct it"


def is_outside(path: str) -> bool:
    """Whether a path that a description names leaves its folder, or names no file at all."""
    listed = Path(path)
    return listed.is_absolute() or ".." in listed.parts or not listed.name


def read_csv(file: Path, columns: Sequence[str | int]) -> list[tuple[int, list[str]]]:
    """Some columns of a CSV file, by name or place; types are not guessed, blank rows left out.

    Returns:
        The number of each row's line, and its cells of these columns, stripped.

    Raises:
        RarelensError: if it is missing or no CSV, and for each column that there is not and each
            row that is too short.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [cell.strip() for cell in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if any(row)]
    except FileNotFoundError as error:
        raise RarelensError(f"{file}: no such file; add it") from error
    except (csv.Error, ValueError, OSError) as error:
        raise RarelensError(f"{file}: not readable as CSV ({error}); correct it") from error
    refuse(
        f"{file}: there is no column {name!r}; add it"
        for name in columns
        if isinstance(name, str) and name not in header
    )
    places = [header.index(each) if isinstance(each, str) else each for each in columns]
    refuse(
        f"{file} line {line}: {len(row)} cells, {max(places) + 1} are needed; correct it"
        for line, row in rows
        if len(row) <= max(places)
    )
    return [(line, [row[place].strip() for place in places]) for line, row in rows]


def read_json(file: Path, cure: str = "add it") -> Any:
    """Read a JSON file; ``cure`` says what to do where there is none.

    Raises:
        RarelensError: if it is missing or no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RarelensError(f"{file}: no such file; {cure}") from error
    except (ValueError, OSError, RecursionError) as error:
        raise RarelensError(f"{file}: not readable as JSON ({error}); correct it") from error


def read_description(file: Path, kind: type[M]) -> M:
    """Read a JSON file that describes a dataset, as ``kind``.

    Raises:
        RarelensError: if it is missing or no JSON, and for each key that is missing or wrong.
    """
    content = read_json(file, f"put the dataset's folder, or a link to it, at {file.parent}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        sentences = dict.fromkeys(_sentence(file, problem) for problem in error.errors())
        raise RarelensError(*shortened(list(sentences))) from error


def read_list(file: Path) -> list[str] | None:
    """Lines of a text file that are not blank; None where there is no such file."""
    if not is_file(file):
        return None
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise RarelensError(f"{file}: not readable as text ({error}); correct it") from error
    return [line.strip() for line in lines if line.strip()]


def is_file(path: Path) -> bool:
    """Whether it is there; a name that the system refuses, as one without end, is not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def one_of(folder: Path, files: Sequence[Path], what: str) -> Path:
    """The only one of ``files``.

    Raises:
        RarelensError: if there is none, or more than one.
    """
    if not files:
        raise RarelensError(
            f"{folder}: there is no {what}; put the dataset's folder, or a link to it, there"
        )
    if len(files) > 1:
        shown = ", ".join(file.name for file in files)
        raise RarelensError(f"{folder}: more than one {what} ({shown}); keep one")
    return files[0]


def visible(files: Iterable[Path]) -> list[Path]:
    """Sorted, without the ``._`` files that macOS leaves in archives."""
    return sorted(file for file in files if not file.name.startswith("._"))


def files_below(folder: Path, ending: str) -> list[Path]:
    """All files below a folder that end so, also behind symbolic links."""
    found, seen = [], set()
    for where, below, names in os.walk(folder, followlinks=True):
        # A link may lead back to a folder above it.
        real = os.path.realpath(where)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        found += [Path(where) / name for name in names if name.lower().endswith(ending)]
    return visible(found)


def repeated(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _sentence(file: Path, problem: Any) -> str:
    # Three steps lead to a key of an entry; further ones name the types that it may have.
    where = ".".join(str(step) for step in problem["loc"][:3]) or "(top level)"
    if problem["type"] == "missing":
        return f"{file}: {where}: missing; add it"
    return f"{file}: {where}: {problem['msg']}; correct it"
