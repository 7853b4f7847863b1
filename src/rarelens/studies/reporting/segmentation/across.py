"""What holds across the study's comparisons: datasets, networks and fractions read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting import style
from rarelens.studies.reporting.answer import significant
from rarelens.studies.reporting.figures import PageFigure, save
from rarelens.studies.reporting.number_text import words as as_words
from rarelens.studies.reporting.segmentation.figures import forest, fractions
from rarelens.studies.reporting.segmentation.results import SegmentationResults
from rarelens.studies.reporting.tables import Column, Table, Value, row

MEASURES = ("dice", "sensitivity", "shift_mean")


def across(study: Sequence[SegmentationResults], folder: Path, dpi: int) -> dict[str, Any] | None:
    """Figures and table of all comparisons; None where there is only one.

    Figures are drawn into an existing folder.
    """
    if len(study) < 2:
        return None
    return {
        "figures": list(_figures(study, folder, dpi)),
        "table": agreement_table(study),
    }


def _figures(study: Sequence[SegmentationResults], folder: Path, dpi: int) -> Iterator[PageFigure]:
    level = f"{study[0].confidence:.0%}"
    shown, left_out = forest.lines(study)
    title = "Shift and gains in every comparison"
    caption = (
        "Left, the baseline's logit shift of each rare class, and of the background beside it; "
        "left of the dashed line logits sink from training to test subjects. Right, each method "
        f"less the baseline; right of the line it is better. Bars are {level} intervals; without "
        "one there are too few seeds or cases."
    )
    if left_out:
        caption += f" The {len(shown)} rows of the largest shift; {left_out} more are left out."
    alt = f"{title}: {len(shown)} rare classes of {len(study)} comparisons."
    with style.styled():
        words = ("forest", title, caption, alt)
        file = folder / "across-forest.png"
        numbers, chart = forest.numbers(study), forest.chart(study)
        yield save(forest.draw(study), numbers, file, dpi, words, chart)
    several = fractions.curves(study)
    if several:
        title = "More training subjects"
        caption = (
            "Over the share of the training pool that was trained on; larger shares hold the "
            f"smaller ones. Bars are {level} intervals, for the next training and the next subject."
        )
        alt = f"{title}: shift, sensitivity and Dice of {len(several)} datasets and networks."
        with style.styled():
            words = ("fractions", title, caption, alt)
            file = folder / "across-fractions.png"
            numbers, chart = fractions.numbers(study), fractions.chart(study)
            yield save(fractions.draw(study), numbers, file, dpi, words, chart)


def agreement_table(study: Sequence[SegmentationResults]) -> Table:
    """How often a method's difference from the baseline has either sign."""
    rows = pd.concat([_differences(results) for results in study], ignore_index=True)
    level = 1 - study[0].confidence
    columns = tuple(
        Column(SEGMENTATION[name].title, heading, partial(_agreeing, name, sign, level))
        for name in MEASURES
        for heading, sign in (("above", 1), ("below", -1))
    )
    lines = (
        row(as_words(str(name)), columns, own) for name, own in rows.groupby("method", sort=False)
    )
    return Table(
        "How often the direction agrees",
        columns,
        tuple(lines),
        "Of all comparisons and rare classes, those where the method is above, or below, the "
        "baseline; small print: how many of these are significant after Holm's correction over all "
        "claims of this page, with enough seeds.",
        label="Table of how often methods differ in the same direction",
        corner="method",
    )


def _differences(results: SegmentationResults) -> pd.DataFrame:
    rare = [results.classes[class_] for class_ in results.rare]
    rows = results.metrics[results.metrics["class"].isin(rare) & (results.metrics["rule"] == "all")]
    return rows[rows["method"].isin(results.others) & rows["measure"].isin(MEASURES)]


def _agreeing(name: str, sign: int, level: float, rows: pd.DataFrame) -> Value:
    own = rows[(rows["measure"] == name) & rows["baseline_difference"].notna()]
    found = own[sign * own["baseline_difference"] > 0]
    claimed = significant(found, level).sum()
    return Value(f"{len(found)} of {len(own)}", (f"{claimed} significant",))
