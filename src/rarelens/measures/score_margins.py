"""Margins of every class at every voxel, from logits or from probabilities.

Of classes that exclude each other the margin of class c is z_c − max over k ≠ c of z_k
(`rarelens.measures.margins`); of probabilities it is log p_c − max over k ≠ c of log p_k, the same
number, for softmax adds one number to all logits. Of regions, which may overlap and have one
sigmoid each, the margin of a region is its logit, log p − log(1 − p), and that of the background,
the voxels in no region, the smallest of the regions' margins with its sign turned.

A probability below the smallest normal number of its type (1.2e-38 of float32, 6.1e-5 of float16)
has lost its digits, and takes that number as bound; so does a sigmoid of exactly 1, whose bound is
the distance to the number before it. A margin made of such a one is **saturated**: nearer to 0 than
it was in truth.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.floating[Any]]
KINDS = ("logits", "probabilities")


class ScoreMargins(NamedTuple):
    """Of n voxels and C classes, background included.

    Attributes:
        margins: (C, n), above 0 where the class is predicted.
        saturated: (C, n), where a probability has lost its digits; None of logits.
        probabilities: (C, n).
    """

    margins: Floats
    saturated: NDArray[np.bool_] | None
    probabilities: Floats


def score_margins(scores: Floats, kind: str, regions: bool) -> ScoreMargins:
    """Margins of n voxels.

    Args:
        scores: (C, n) of classes that exclude each other; (C − 1, n) of regions, for the
            background is no channel of theirs.
        kind: "logits" or "probabilities".
        regions: whether each channel is a region with a sigmoid of its own.

    Examples:
        >>> found = score_margins(np.array([[0.2], [0.8]]), "probabilities", regions=False)
        >>> found.margins.round(4).tolist()  # log(0.2 / 0.8) and back
        [[-1.3863], [1.3863]]
    """
    return (_regions if regions else _exclusive)(scores, kind)


def _exclusive(scores: Floats, kind: str) -> ScoreMargins:
    if kind == "logits":
        z = _floats(scores)
        odds = np.exp(z - z.max(0))
        return ScoreMargins(z - _others(z), None, odds / odds.sum(0))
    logs, least = _log(scores, np.finfo(scores.dtype).tiny)
    others = _others(logs)
    # Where the largest of the others is at the bound, all of them are.
    return ScoreMargins(logs - others, (logs <= least) | (others <= least), _floats(scores))


def _regions(scores: Floats, kind: str) -> ScoreMargins:
    if kind == "logits":
        logits, lost = _floats(scores), None
        p = expit(logits)
    else:
        p, limits = _floats(scores), np.finfo(scores.dtype)
        inside, none = _log(p, limits.tiny)
        # Beside 1, numbers of this type stand so far apart.
        outside, _ = _log(1 - p, limits.epsneg)
        logits, lost = inside - outside, (inside <= none) | (p == 1)
    first = logits.argmax(0)[None]
    logits = np.concatenate([-np.take_along_axis(logits, first, 0), logits])
    if lost is not None:
        lost = np.concatenate([np.take_along_axis(lost, first, 0), lost])
    return ScoreMargins(logits, lost, np.concatenate([1 - np.take_along_axis(p, first, 0), p]))


def _others(z: Floats) -> Floats:
    """The largest of the other rows, for each row."""
    first, second = z[0], np.full_like(z[0], -np.inf)
    for row in z[1:]:
        second = np.maximum(second, np.minimum(first, row))
        first = np.maximum(first, row)
    return np.stack([np.where(row == first, second, first) for row in z])


def _log(p: Floats, least: Any) -> tuple[Floats, Any]:
    """Logarithms, in float32 or more, of what is ``least`` at least; and that of ``least``."""
    values = _floats(p)
    bound = np.log(values.dtype.type(least))
    return np.maximum(np.log(np.maximum(values, values.dtype.type(least))), bound), bound


def _floats(values: Floats) -> Floats:
    return values.astype(np.float32) if values.dtype.itemsize < 4 else values
