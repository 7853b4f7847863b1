"""What the blocks of both tasks hold: all methods of one dataset, network and fraction."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from rarelens.studies.reporting.reading import Arrays


@dataclass(frozen=True)
class AnyBlock:
    """What the figures of either task show.

    Attributes:
        methods: in the study's order, the baseline first.
        classes: names.
        history: method, seed, step, loss and a validation measure.
        panels: per panel, method → arrays; of the first seed.
        metrics: the rows of the comparison that belong here.
    """

    dataset: str
    network: str
    fraction: str
    methods: tuple[str, ...]
    baseline: str
    seeds: tuple[int, ...]
    classes: tuple[str, ...]
    history: pd.DataFrame
    panels: tuple[dict[str, Arrays], ...]
    metrics: pd.DataFrame

    @property
    def name(self) -> str:
        """``dataset-network-fraction``, for file names and anchors."""
        return f"{self.dataset}-{self.network}-{self.fraction}"

    @property
    def title(self) -> str:
        """For people."""
        share = f"{float(self.fraction):.0%} of the training pool"
        return f"{self.dataset}, {self.network}, {share}"
