"""What holds across the study's comparisons: datasets, networks and fractions read together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting import style
from rarelens.studies.reporting.figures import PageFigure
from rarelens.studies.reporting.number_text import words
from rarelens.studies.reporting.segmentation.figures import forest
from rarelens.studies.reporting.segmentation.results import SegmentationResults
from rarelens.studies.reporting.tables import Column, Table, Value, row

MEASURES = ("dice", "sensitivity", "shift_mean")


def across(study: Sequence[SegmentationResults], folder: Path, dpi: int) -> dict[str, Any] | None:
    """Sentence, figures and table of all comparisons; None where there is only one.

    Figures are drawn into an existing folder.
    """
    if len(study) < 2:
        return None
    return {
        "sentence": sentence(study),
        "figures": [_forest(study, folder / "across-forest.png", dpi)],
        "table": agreement_table(study),
    }


def _forest(study: Sequence[SegmentationResults], file: Path, dpi: int) -> PageFigure:
    shown, left_out = forest.lines(study)
    with style.styled():
        style.save(forest.draw(study), file, dpi)
    title = "Shift and gains in every comparison"
    caption = (
        "Left, the baseline's logit shift of each rare class, and of the background beside it; "
        "left of the dashed line logits sink from training to test subjects. Right, each method "
        "less the baseline; right of the line it is better. Bars are "
        f"{study[0].confidence:.0%} intervals; without one there are too few seeds or cases."
    )
    if left_out:
        caption += f" The {len(shown)} rows of the largest shift; {left_out} more are left out."
    alt = f"{title}: {len(shown)} rare classes of {len(study)} comparisons."
    return PageFigure("forest", title, caption, alt, file)


def sentence(study: Sequence[SegmentationResults]) -> str:
    """In how many comparisons the baseline's shift is below 0, with its whole interval."""
    below = {"rare": 0, "background": 0}
    for results in study:
        rows = results.metrics
        own = rows[(rows["method"] == results.baseline) & (rows["measure"] == "shift_mean")]
        high = own[own["rule"] == "all"].set_index("class")["ci_high"]
        # Without an interval (NaN) nothing is below 0.
        below["rare"] += all(high.get(results.classes[rare], 0) < 0 for rare in results.rare)
        below["background"] += bool(high.get(results.classes[0], 0) < 0)
    return (
        f"The interval of the baseline's logit shift is below 0 for every rare class in "
        f"{below['rare']} of {len(study)} comparisons, for the background in "
        f"{below['background']} of {len(study)}."
    )


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
        row(words(str(name)), columns, own) for name, own in rows.groupby("method", sort=False)
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
    # A row that is no claim has no p_holm (NaN), and is never significant.
    claimed = (found["p_holm"] < level) & found["sufficient_seeds"].astype(bool)
    return Value(f"{len(found)} of {len(own)}", (f"{claimed.sum()} significant",))
