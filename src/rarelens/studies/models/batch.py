"""Many images, one after the other: a bad one does not stop the others, and a bar shows how far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from rarelens.errors import RarelensError


def each_case(cases: Collection[str], work: Callable[[str], None], bar: bool) -> None:
    """Do ``work`` for every case.

    Args:
        cases: their names.
        work: given one.
        bar: show a progress bar on standard error, if that is a terminal.

    Raises:
        RarelensError: at the end, with a sentence for each case that the work failed for.
    """
    console, problems = Console(stderr=True), list[str]()
    hidden = not (bar and console.is_terminal)
    for case in track(cases, "predict", console=console, disable=hidden):
        try:
            work(case)
        except RarelensError as error:
            problems += error.problems
        # What a disk, a GPU and a network's shapes bring: the next image may fit.
        except (MemoryError, OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            problems.append(f"{case}: not predicted: {reason}")
    if problems:
        raise RarelensError(*problems)


def refuse_existing(output: Path, files: Sequence[Path], overwrite: bool) -> None:
    """Refuse to write over what is there already.

    Raises:
        RarelensError: if a file stands in the place of the folder ``output``, or one of ``files``
            exists and is not to be overwritten.
    """
    if output.exists() and not output.is_dir():
        raise RarelensError(f"{output}: a file stands here; name another --output")
    there = [] if overwrite else [file for file in files if file.exists()]
    if there:
        raise RarelensError(
            f"{there[0]}: exists already; name another --output, remove it, or give --overwrite"
        )
