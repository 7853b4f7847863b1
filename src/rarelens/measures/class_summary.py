"""What a diagnosis keeps of one class in one case: sums, counts and histograms, no voxel.

Margins of the class's own voxels and the Dice at every offset come of one pass over the voxels,
in pieces; lesions of the label maps. Memory beyond the arrays given is about that of the label map
and of the margins, 4 bytes a voxel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.class_offsets import OffsetCounts
from rarelens.measures.lesions import Row, lesion_rows
from rarelens.measures.margins import MarginCounts
from rarelens.measures.score_margins import score_margins

Mask = NDArray[np.bool_]
BIN_WIDTH = 0.0625
CALIBRATION_BINS = 15
PIECE = 2**18  # Voxels at a time: they stay in a processor's cache.


class Margins(NamedTuple):
    """Of the voxels of one class: sums and histogram, the exact median, how many are saturated."""

    counts: MarginCounts
    median: float
    saturated: int


@dataclass(frozen=True)
class ClassSummary:
    """One class in one case.

    Attributes:
        voxels: of the class in the truth.
        predicted: voxels predicted.
        hit: of them, those of the class.
        margins: None where there is no voxel of the class, or label maps alone.
        offsets: None of label maps alone.
        calibration: (3, 15), in equal-width bins of its probability: voxels, Σ probability,
            Σ [it is true]; None of label maps alone.
        lesions: of `rarelens.measures.lesions.lesion_rows`; none of the background.
        false_alarms: predicted components that touch no lesion.
    """

    voxels: int
    predicted: int
    hit: int
    margins: Margins | None
    offsets: OffsetCounts | None
    calibration: NDArray[np.float64] | None
    lesions: list[Row]
    false_alarms: int

    @property
    def dice(self) -> float:
        """Dice; NaN where the truth holds no voxel of the class, as all that follows."""
        return 2 * self.hit / (self.voxels + self.predicted) if self.voxels else math.nan

    @property
    def sensitivity(self) -> float:
        """The share of true voxels that were found."""
        return self.hit / self.voxels if self.voxels else math.nan

    @property
    def precision(self) -> float:
        """The share of predicted voxels that are true; 0 where none is predicted."""
        return self.hit / max(self.predicted, 1) if self.voxels else math.nan

    @property
    def volume_ratio(self) -> float:
        """Predicted over true voxels."""
        return self.predicted / self.voxels if self.voxels else math.nan


def summarise(
    truth: Sequence[Mask],
    predicted: Sequence[Mask],
    spacing: Sequence[float],
    valid: Mask | None = None,
    scores: NDArray[Any] | None = None,
    kind: str = "probabilities",
    regions: bool = False,
) -> list[ClassSummary]:
    """Summarise a case, class by class, the background first.

    Args:
        truth: a mask (*spatial) for each class, False where the voxel is not valid.
        predicted: likewise.
        spacing: voxel size, mm, an axis each.
        valid: voxels that count, (*spatial); None for all.
        scores: as `score_margins` takes them, (channels, *spatial); None of label maps alone.
        kind: of the scores.
        regions: whether they are of regions.
    """
    of_scores: list[tuple[Any, Any, Any, Any]] = [(None, None, None, None)] * len(truth)
    if scores is not None:
        of_scores = list(_of_scores(truth, valid, scores, kind, regions))
    summaries = []
    for index, (true, said) in enumerate(zip(truth, predicted, strict=True)):
        margins, own, offsets, calibration = of_scores[index]
        rows: list[Row] = []
        false_alarms = 0
        if index:
            where = None
            if own is not None:
                where = np.full(true.shape, np.nan, np.float32)
                where[true] = own
            maps = (said.view(np.uint8), true.view(np.uint8))
            rows, (counts,) = lesion_rows(*maps, 2, tuple(spacing), where)
            false_alarms = counts["false_alarms"]
        voxels, claimed, hit = (int(np.count_nonzero(mask)) for mask in (true, said, true & said))
        summaries.append(
            ClassSummary(voxels, claimed, hit, margins, offsets, calibration, rows, false_alarms)
        )
    return summaries


def _of_scores(
    truth: Sequence[Mask], valid: Mask | None, scores: NDArray[Any], kind: str, regions: bool
) -> Iterator[tuple[Any, ...]]:
    """Of each class: margins, its own voxels' margins in order, offsets, calibration."""
    flat = scores.reshape(len(scores), -1)
    masks = [mask.reshape(-1) for mask in truth]
    counted = None if valid is None else valid.reshape(-1)
    number = len(masks)
    own: list[list[NDArray[Any]]] = [[] for _ in masks]
    saturated = np.zeros(number, np.int64)
    offsets: list[Any] = [None] * number
    calibration = np.zeros((number, 3, CALIBRATION_BINS))
    for start in range(0, flat.shape[1], PIECE):
        place = slice(start, start + PIECE)
        piece, inside = flat[:, place], [mask[place] for mask in masks]
        if counted is not None:
            piece, inside = piece[:, counted[place]], [mask[counted[place]] for mask in inside]
        if not piece.size:
            continue
        found = score_margins(piece, kind, regions)
        for index, mask in enumerate(inside):
            margins = found.margins[index]
            own[index].append(margins[mask])
            if found.saturated is not None:
                saturated[index] += np.count_nonzero(found.saturated[index] & mask)
            counts = OffsetCounts.of(margins, mask)
            offsets[index] = counts if offsets[index] is None else offsets[index] + counts
            calibration[index] += _calibration(found.probabilities[index], mask)
    for index in range(number):
        values = np.concatenate(own[index]) if own[index] else np.empty(0, np.float32)
        margins_ = None
        if values.size:
            counts_ = MarginCounts.of(values, BIN_WIDTH)
            margins_ = Margins(counts_, float(np.median(values)), int(saturated[index]))
        yield margins_, values, offsets[index], calibration[index]


def _calibration(p: NDArray[Any], inside: Mask) -> NDArray[np.float64]:
    bins = CALIBRATION_BINS
    which = np.minimum((p * p.dtype.type(bins)).astype(np.intp), bins - 1)
    outside, true = np.bincount(which + bins * inside, minlength=2 * bins).reshape(2, bins)
    return np.stack([outside + true, np.bincount(which, p, bins), true])
