"""Draw figures of the page into files, and keep their words and numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from rarelens.studies.reporting import style
from rarelens.studies.reporting.results import Results
from rarelens.studies.spreadsheet import RESULTS, to_csv


@dataclass(frozen=True)
class PageFigure:
    """A figure on disk.

    Attributes:
        name: of the file, without what it belongs to; of the module that drew it, mostly.
        title: its heading.
        caption: what the reader sees and how to read it.
        alt: the same for those who do not see it, in short.
        file: the PNG.
        inches: how wide it is.
        numbers: what it shows, as CSV; empty of a picture.
    """

    name: str
    title: str
    caption: str
    alt: str
    file: Path
    inches: float
    numbers: str = ""


def save(
    figure: Figure,
    numbers: pd.DataFrame | None,
    file: Path,
    dpi: int,
    words: tuple[str, str, str, str],
) -> PageFigure:
    """Write a figure; ``words`` are its name, title, caption and alternative text."""
    style.save(figure, file, dpi)
    text = "" if numbers is None else to_csv(numbers, **RESULTS)
    return PageFigure(*words, file, float(figure.get_size_inches()[0]), text)


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
        numbers: Callable[..., pd.DataFrame] | None = None,
    ) -> PageFigure:
        """Draw ``draw(results, *more)`` in the report's style; its module gives the name.

        ``numbers(results, *more)`` is the table of what it shows.
        """
        own = name or draw.__module__.rpartition(".")[2]
        file = self.folder / f"{self.results.name}-{own}.png"
        alt = f"{title}: {self.results.title}; methods {', '.join(self.methods)}."
        table = numbers(self.results, *more) if numbers else None
        with style.styled():
            figure = draw(self.results, *more)
            return save(figure, table, file, self.dpi, (own, title, caption, alt))
