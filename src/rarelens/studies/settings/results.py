"""How results are compared and reported."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from rarelens.studies.settings.base import Count, Section, Seed

Cases = Literal["none", "simulated", "all"]


class Compare(Section):
    """Statistics over seeds and patients.

    ``bootstrap``: resamples of patients for what is no mean over them. ``equivalence``: methods
    perform alike that differ by less in AUROC and AP, or in Dice and sensitivity.
    ``least_positives``: fewer patients who have a class in the test split, or who are without it,
    give it numbers, but no interval and no test.
    """

    bootstrap: Annotated[int, Field(ge=2, le=10**6)]
    equivalence: Annotated[float, Field(gt=0, lt=1)]
    least_positives: Count
    confidence: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed


class Report(Section):
    """The page and its figures.

    ``dpi``: their resolution, dots per inch. ``classes``: of more rare structures, so many are
    drawn, and the tables of the others folded. ``cases``: of whose datasets the page has a case
    browser, which holds volumes and images: of none, of simulated ones, or of all, patients'
    among them.
    """

    dpi: Annotated[int, Field(ge=1, le=1200)]
    classes: Count = 6
    cases: Cases = "simulated"


def shows_cases(cases: Cases, dataset: str, simulated: Collection[str]) -> bool:
    """Whether the page has a browser of a dataset's cases.

    Args:
        cases: as the settings have it.
        dataset: its name.
        simulated: names of the datasets that are.
    """
    return cases == "all" or (cases == "simulated" and dataset in simulated)
