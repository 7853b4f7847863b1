"""How results are compared and reported."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rarelens.studies.settings.base import Count, Section, Seed


class Compare(Section):
    """Statistics over seeds and subjects."""

    bootstrap: Count
    confidence: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed


class Report(Section):
    """The page and its figures. ``dpi``: their resolution, dots per inch."""

    dpi: Count
