"""From the files found to the page: what the commands share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.studies.diagnosis.diagnosis import Diagnosis, find_classes
from rarelens.studies.diagnosis.nnunet import Found
from rarelens.studies.diagnosis.reading import read_cases


def diagnose(found: Found, rare: Sequence[str] | None, output: Path, jobs: int) -> Iterator[str]:
    """Read all cases, write the diagnosis into ``output``, and yield what to tell the user.

    Args:
        found: classes, cases and notes.
        rare: names or labels of rare classes; None for those below 5 % of all voxels.
        output: folder; files of a diagnosis in it are replaced.
        jobs: processes.

    Raises:
        RarelensError: for a rare class that is none, an output that is a file, and each case that
            cannot be read.
    """
    if output.exists() and not output.is_dir():
        raise RarelensError(f"{output}: a file stands here; name another --output")
    try:
        marked = None if rare is None else find_classes(found.scheme.names, rare)
    except ValueError as error:
        raise RarelensError(f"--{error}") from error
    diagnosis = Diagnosis.of_scheme(found.scheme, marked, found.command)
    for record in read_cases(found.scheme, found.sources, jobs):
        diagnosis.add(record)
    result = diagnosis.write(output, found.notes)
    for row in result["classes"][1:]:
        yield (
            f"{row['name']}{' (rare)' if row['rare'] else ''}: {row['finding']}. "
            + row["explanation"]
        )
    yield from found.notes
    yield str(output / "index.html")
