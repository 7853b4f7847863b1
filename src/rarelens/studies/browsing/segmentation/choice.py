"""Which test subjects stand for a comparison: the worst, the median and the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rarelens.measures.overlap import HELD
from rarelens.studies.files import read_json

NAMES = ("worst", "median", "best")


@dataclass(frozen=True)
class ChosenCase:
    """A subject, by its place among all.

    Attributes:
        name: "worst", "median" or "best".
        case: its id, for reading its files; it stays out of what is shown.
        dice: of each method, the mean over the rare classes that the subject has.
    """

    name: str
    case: str
    dice: dict[str, float]


def chosen_cases(analyses: Mapping[str, Path], baseline: str) -> list[ChosenCase]:
    """Subjects in the order of the baseline's mean Dice over the rare classes that they have.

    Of an even number the median is the lower of the two in the middle; equal ones stand in the
    order of their ids. Two subjects are the worst and the best; one alone is the worst; nobody
    is chosen where no test subject has a rare class.

    Args:
        analyses: of each method, the analysis of one seed.
        baseline: the method whose overlap decides.
    """
    dice = {method: _dice(folder) for method, folder in analyses.items()}
    ranked = dice[baseline].sort_index().sort_values(kind="stable").index.tolist()
    places = (0, (len(ranked) - 1) // 2, len(ranked) - 1) if ranked else ()
    chosen: dict[str, str] = {}
    # The worst and the best have their names before the median has.
    for number in (0, 2, 1) if ranked else ():
        chosen.setdefault(ranked[places[number]], NAMES[number])
    found = [
        ChosenCase(name, case, {method: float(own[case]) for method, own in dice.items()})
        for case, name in chosen.items()
    ]
    return sorted(found, key=lambda case: NAMES.index(case.name))


def _dice(analysis: Path) -> pd.Series:
    """Per case; cases without a rare class are not in it."""
    rare = [class_ for class_ in read_json(analysis / "analysis.json")["rare_classes"] if class_]
    rows = pd.read_parquet(analysis / "overlap.parquet")
    rows = rows[(rows["side"] == "test") & (rows["rule"] == "all")]
    held = rows[rows["class"].isin(rare) & rows["outcome"].isin(HELD)]
    means: pd.Series = held.groupby("case")["dice"].mean()
    return means
