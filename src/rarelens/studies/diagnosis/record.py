"""What is kept of a case, and how a case's arrays are checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.arrays import as_array
from rarelens.measures.class_summary import ClassSummary, summarise
from rarelens.measures.score_margins import KINDS
from rarelens.studies.diagnosis.scheme import Scheme

SIDES = ("train", "unseen")
SUM_TOLERANCE = 0.01
"""How far the sum of a voxel's probabilities may be from 1; of float16 it is by up to 0.001."""


@dataclass(frozen=True)
class CaseRecord:
    """One case as one network predicted it: a few kilobytes, however large it is."""

    case: str
    patient: str
    side: str
    fold: str
    voxels: int
    classes: tuple[ClassSummary, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """A case is there once for each fold and side."""
        return self.side, self.fold, self.case


def case_record(
    scheme: Scheme,
    labels: Any,
    case: str,
    side: str,
    *,
    scores: Any = None,
    predicted: Any = None,
    kind: str = "logits",
    patient: str | None = None,
    spacing: Sequence[float] | None = None,
    fold: str = "",
) -> CaseRecord:
    """Summarise a case from its scores, or from its predicted label map alone.

    Args:
        scheme: what labels and channels mean.
        labels: true label map (*spatial).
        case: its name.
        side: "train" or "unseen".
        scores: (channels, *spatial), logits or probabilities.
        predicted: label map (*spatial), where there are no scores.
        kind: of the scores, "logits" or "probabilities".
        patient: whose case it is; by default a patient of its own.
        spacing: voxel size, mm; 1 if not given.
        fold: of a cross-validation.

    Raises:
        ValueError: for arrays, labels or a side that do not fit, with what would.
    """
    if side not in SIDES:
        raise ValueError(f'side is "train" or "unseen", not {side!r}')
    truth, counted = scheme.split(labels)
    shape = truth[0].shape
    if spacing is not None and (len(spacing) != len(shape) or not min(spacing) > 0):
        raise ValueError(f"spacing {spacing} has not {len(shape)} numbers above 0")
    if scores is not None:
        values = check_scores(as_array(scores), scheme, shape, kind)
        said = scheme.decide(values, kind)
    else:
        values = None
        said, _ = scheme.split(predicted)
        if said[0].shape != shape:
            raise ValueError(f"a label map of shape {said[0].shape} for labels of {shape}")
    if counted is not None:
        said = [mask & counted for mask in said]
    size = tuple(spacing or [1.0] * len(shape))
    regions = scheme.regions is not None
    classes = summarise(truth, said, size, counted, values, kind, regions)
    voxels = int(truth[0].size if counted is None else np.count_nonzero(counted))
    return CaseRecord(str(case), str(patient or case), side, fold, voxels, tuple(classes))


def check_scores(
    scores: NDArray[Any], scheme: Scheme, shape: tuple[int, ...], kind: str
) -> NDArray[Any]:
    """Scores of the expected shape and kind.

    Raises:
        ValueError: for another number of channels or shape, values that are not finite, and
            probabilities that are none or do not sum to 1.
    """
    if kind not in KINDS:
        raise ValueError(f"scores are {' or '.join(KINDS)}, not {kind!r}")
    if scores.dtype.kind != "f":
        raise ValueError(f"scores of type {scores.dtype}; they must be floating-point numbers")
    if scores.shape != (scheme.channels, *shape):
        what = "regions" if scheme.regions is not None else "classes"
        raise ValueError(
            f"scores of shape {scores.shape} for {scheme.channels} {what} and labels of shape "
            f"{shape}: ({scheme.channels}, {', '.join(map(str, shape))}) is expected"
        )
    low, high = float(scores.min()), float(scores.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("a score is not finite (NaN or infinite)")
    if kind == "logits":
        return scores
    if low < 0 or high > 1 + SUM_TOLERANCE:
        raise ValueError(
            f"probabilities from {low:.3g} to {high:.3g}: these look like logits; say so"
        )
    if scheme.regions is None:
        total = np.add.reduce(scores, axis=0, dtype=np.float32)
        worst = float(np.abs(total - 1).max())
        if worst > SUM_TOLERANCE:
            sum_ = float(total.flat[np.abs(total - 1).argmax()])
            raise ValueError(
                f"the probabilities of a voxel sum to {sum_:.3g}, "
                "not to 1: are they sigmoids of regions, logits, or is a class missing?"
            )
    return scores
