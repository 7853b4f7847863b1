"""Draw the figures of a block and describe them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from rarelens.studies.reporting import style


class Plan(NamedTuple):
    """A figure to be drawn: ``name`` is for its file, ``kind`` the module that draws it."""

    name: str
    kind: str
    title: str
    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class Drawn:
    """A figure on disk.

    Attributes:
        kind: the name of the module that drew it.
        title: its heading.
        caption: what the reader sees and how to read it.
        alt: the same for those who do not see it, in short.
        file: the PNG.
    """

    kind: str
    title: str
    caption: str
    alt: str
    file: Path


def draw_all(plans: Iterable[Plan], folder: Path, prefix: str, about: str, dpi: int) -> list[Drawn]:
    """Draw every plan as ``<folder>/<prefix>-<name>.png``.

    Args:
        plans: in the order of the report.
        folder: an existing folder.
        prefix: of the files' names.
        about: what the figures show, for their alternative texts.
        dpi: dots per inch.
    """
    written = []
    for plan in plans:
        file = folder / f"{prefix}-{plan.name}.png"
        with style.styled():
            style.save(plan.draw(), file, dpi)
        written.append(Drawn(plan.kind, plan.title, plan.caption, f"{plan.title}: {about}", file))
    return written
