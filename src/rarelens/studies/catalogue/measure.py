"""What is declared of a measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Term(NamedTuple):
    """An entry of the report's glossary."""

    name: str
    text: str


@dataclass(frozen=True)
class Measure:
    """What a measure is called, what better means, how it is written.

    Attributes:
        title: in columns and sentences.
        better: a larger value, a smaller one, one nearer to 1 or to 0, or none is.
        digits: behind the point; of a percentage where ``percent``.
        unit: "" where it has none.
        percent: written as a percentage.
        signed: written with its sign.
        headline: whether its means go into ``metrics/<task>.json``.
        claimed: whether the page says of it that methods differ; of segmentation, for rare classes.
        pooled: over the voxels of all patients, thus no mean over them: without resampled values
            it has no interval and no test.
        role: what it answers where pairs of classifiers are compared; "" where it is not shown.
        term: its entry in the glossary; measures can share one.
    """

    title: str
    better: Literal["larger", "smaller", "one", "zero", "none"]
    digits: int = 3
    unit: str = ""
    percent: bool = False
    signed: bool = False
    headline: bool = False
    claimed: bool = False
    pooled: bool = False
    role: Literal["", "performance", "alignment", "concepts", "features"] = ""
    term: Term | None = None

    @property
    def label(self) -> str:
        """Title and unit, for a column or an axis: ``HD95 (mm)``."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


DETECTOR = Term(
    "Detector",
    "A unit (channel of a named layer) whose strongest activations overlap the regions of a "
    "finding or rare class with an IoU above the threshold of network dissection (counts: mean "
    "over seeds). Beyond null: the overlap is above a set share of the largest that the region's "
    "size allows, and above what regions exchanged between patients give, corrected over all units "
    "and regions of the layer: where units know nothing, the chance of any is at most 1 − the "
    "level (5 % by default). Best IoU: the highest of a layer's units.",
)
