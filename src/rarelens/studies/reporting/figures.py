"""Draw figures of the page into files, and keep their words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from rarelens.studies.reporting import style
from rarelens.studies.reporting.results import Results


@dataclass(frozen=True)
class PageFigure:
    """A figure on disk.

    Attributes:
        name: of the file, without what it belongs to; of the module that drew it, mostly.
        title: its heading.
        caption: what the reader sees and how to read it.
        alt: the same for those who do not see it, in short.
        file: the PNG.
    """

    name: str
    title: str
    caption: str
    alt: str
    file: Path


@dataclass(frozen=True)
class FigureWriter:
    """Draws figures of ``results`` as ``<folder>/<results>-<name>.png``.

    Attributes:
        results: what is drawn.
        methods: as the alternative texts name them.
        folder: an existing folder.
        dpi: dots per inch.
    """

    results: Results
    methods: list[str]
    folder: Path
    dpi: int

    def __call__(
        self,
        draw: Callable[..., Figure],
        title: str,
        caption: str,
        *more: object,
        name: str = "",
    ) -> PageFigure:
        """Draw ``draw(results, *more)`` in the report's style; its module gives the name."""
        own = name or draw.__module__.rpartition(".")[2]
        file = self.folder / f"{self.results.name}-{own}.png"
        alt = f"{title}: {self.results.title}; methods {', '.join(self.methods)}."
        with style.styled():
            style.save(draw(self.results, *more), file, self.dpi)
        return PageFigure(own, title, caption, alt, file)
