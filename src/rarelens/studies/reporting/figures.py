"""Draw figures of the page into files, and keep their words and numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from rarelens.studies.reporting import charts, style
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
        svg: the same as SVG; None of pictures.
        numbers: what it shows, as CSV; empty of a picture.
        chart: its interactive form, of these numbers, as Vega-Lite; empty where there is none.
    """

    name: str
    title: str
    caption: str
    alt: str
    file: Path
    inches: float
    svg: Path | None
    numbers: str = ""
    chart: str = ""


def save(
    figure: Figure,
    numbers: pd.DataFrame | None,
    file: Path,
    dpi: int,
    words: tuple[str, str, str, str],
    chart: charts.Chart | None = None,
    vector: bool = True,
) -> PageFigure:
    """Write a figure; ``words`` are its name, title, caption and alternative text."""
    style.save(figure, file, dpi)
    svg = file.parents[1] / "svg" / f"{file.stem}.svg" if vector else None
    if svg:
        style.save_svg(figure, svg)
    text = "" if numbers is None else to_csv(numbers, **RESULTS)
    drawn = "" if chart is None or numbers is None else charts.spec(chart, numbers)
    return PageFigure(*words, file, float(figure.get_size_inches()[0]), svg, text, drawn)


@dataclass(frozen=True)
class FigureWriter:
    """Draws figures of ``results`` as ``<folder>/<results>-<name>.png``, and as SVG beside it.

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
        chart: Callable[..., charts.Chart] | None = None,
        vector: bool = True,
        columns: bool = False,
    ) -> PageFigure:
        """Draw ``draw(results, *more)`` in the report's style; its module gives the name.

        ``numbers(results, *more)`` is the table of what it shows, ``chart(results, *more)`` the
        interactive form over that table. Without ``vector``, of pictures, there is no SVG. Of many
        methods, a figure with ``columns`` for them shows `Results.pictured`, and says so.
        """
        own = name or draw.__module__.rpartition(".")[2]
        file = self.folder / f"{self.results.name}-{own}.png"
        shown = self.results.pictured if columns else self.results.methods
        named = [self.methods[self.results.methods.index(method)] for method in shown]
        alt = f"{title}: {self.results.title}; methods {', '.join(named)}."
        if len(shown) < len(self.results.methods):
            caption += (
                f" Shown are the baseline and the {len(shown) - 1} of {len(self.results.others)} "
                f"other methods that differ most from it in {self.results.change[1]}; tables "
                "have all."
            )
        table = numbers(self.results, *more) if numbers else None
        with style.styled(), charts.unchecked():
            interactive = chart(self.results, *more) if chart else None
            figure = draw(self.results, *more)
            words = (own, title, caption, alt)
            return save(figure, table, file, self.dpi, words, interactive, vector)
