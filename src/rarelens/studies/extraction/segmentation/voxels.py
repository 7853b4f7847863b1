"""Tables of one case's logits: moments, histograms, calibration, a sample of voxels.

Each function returns a tidy table without the columns ``case`` and ``side``, in a fixed order.
`rarelens.measures.margins` defines the margin. Time is that of the logits, classes × voxels, and no
function holds more than `CHUNK` of them at once beside the logits themselves.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from rarelens.measures.histograms import Moments, bin_of, count_bins, count_each
from rarelens.measures.margins import voxel_margins

Logits = NDArray[np.float32]
Labels = NDArray[Any]

CHUNK = 2**20
"""Logits that are looked at at once."""
SAMPLED = 2**21
"""Logits of a case that are sampled, at most; of 100 classes and fewer 200 voxels each."""


def moments(logits: Logits, labels: Labels) -> pd.DataFrame:
    """Count, sum, sum of squares and negatives of the margin, per true class.

    Args:
        logits: (C, N).
        labels: true classes (N,).
    """
    rows = []
    for label, own in _voxels_of(labels):
        margin = Moments.of(_margins(logits, label, own))
        rows.append(
            {
                "class": label,
                "quantity": "margin",
                "count": int(margin.number),
                "sum": float(margin.total),
                "sum_squares": float(margin.squares),
                "negative": int(margin.negative),
            }
        )
    return pd.DataFrame(rows)


def histograms(logits: Logits, labels: Labels, width: float) -> pd.DataFrame:
    """Exact counts of the margin and of each logit, per true class, in bins of ``width``."""
    found = []  # Class, number of the quantity, bins and counts.
    for label, own in _voxels_of(labels):
        margins = bin_of(_margins(logits, label, own), width)[None]
        found.append((label, 0, *count_each(margins)))
        step = max(1, CHUNK // len(own))
        for first in range(0, len(logits), step):
            bins = bin_of(logits[first : first + step][:, own], width)
            found.append((label, 1 + first, *count_each(bins)))
    lengths = [len(one[-1]) for one in found]
    quantity = np.concatenate([first + row for _, first, row, _, _ in found])
    names = pd.Series(["margin", *(f"logit_{k}" for k in range(len(logits)))])
    return pd.DataFrame(
        {
            "class": np.repeat([one[0] for one in found], lengths),
            "quantity": names.array.take(quantity),
            "bin": np.concatenate([one[3] for one in found]),
            "count": np.concatenate([one[4] for one in found]),
        }
    )


def joint_histograms(logits: Logits, labels: Labels, width: float) -> pd.DataFrame:
    """Counts of (z_0, z_k) for each foreground class k, of voxels whose true class is 0 or k."""
    voxels, none = dict(_voxels_of(labels)), np.empty(0, np.int64)
    found = []
    for k in range(1, len(logits)):
        for label in (0, k):
            own = voxels.get(label, none)
            pairs = bin_of(np.stack([logits[0][own], logits[k][own]]), width)
            found.append((label, k, *count_bins(pairs)))
    lengths = [len(one[-1]) for one in found]
    bins = np.concatenate([one[2] for one in found], axis=1)
    return pd.DataFrame(
        {
            "class": np.repeat([one[0] for one in found], lengths),
            "foreground": np.repeat([one[1] for one in found], lengths),
            "bin_x": bins[0],
            "bin_y": bins[1],
            "count": np.concatenate([one[3] for one in found]),
        }
    )


def calibration(logits: Logits, labels: Labels, bins: int) -> pd.DataFrame:
    """Per class, in equal-width bins of its probability: voxels, Σ probability, Σ [it is true]."""
    classes, voxels = logits.shape
    offsets = np.arange(classes)[:, None] * bins
    count, true = np.zeros((2, classes * bins), np.int64)
    confidence = np.zeros(classes * bins)
    # In parts as large as one another: over a single voxel, softmax would sum in another order.
    parts = np.linspace(0, voxels, 1 + -(-classes * voxels // CHUNK), dtype=int)
    for start, stop in itertools.pairwise(parts.tolist()):
        probabilities = softmax(logits[:, start:stop].astype(np.float64), axis=0)
        which = np.minimum((probabilities * bins).astype(np.int32), bins - 1) + offsets
        count += np.bincount(which.ravel(), minlength=len(count))
        # One after the other, and so the same sums however the voxels are parted.
        np.add.at(confidence, which.ravel(), probabilities.ravel())
        own = which[labels[start:stop], np.arange(stop - start)]
        true += np.bincount(own, minlength=len(true))
    return pd.DataFrame(
        {
            "class": np.repeat(np.arange(classes), bins),
            "bin": np.tile(np.arange(bins, dtype=np.int32), classes),
            "count": count,
            "sum_confidence": confidence,
            "sum_positive": true,
        }
    )


def sample(
    logits: Logits, labels: Labels, shape: tuple[int, ...], most: int, seed: int, case: str
) -> pd.DataFrame:
    """At most ``most`` voxels per true class, drawn without replacement: position and logits.

    Of many classes fewer, so that they have no more than `SAMPLED` logits.
    """
    rng = np.random.default_rng([seed, zlib.crc32(case.encode())])
    most = min(most, max(1, SAMPLED // len(logits) ** 2))
    drawn = [
        (label, np.sort(rng.choice(own, min(most, own.size), replace=False)))
        for label, own in _voxels_of(labels)
    ]
    chosen = np.concatenate([own for _, own in drawn])
    columns = {"class": np.repeat([label for label, _ in drawn], [len(own) for _, own in drawn])}
    position = np.array(np.unravel_index(chosen, shape), dtype=np.int32)
    columns |= dict(zip("xyz", position, strict=True))
    columns |= {f"z_{k}": logits[k, chosen] for k in range(len(logits))}
    return pd.DataFrame(columns)


def _voxels_of(labels: Labels) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each true class that occurs, and its voxels, ascending."""
    order = np.argsort(labels, kind="stable")
    classes, starts = np.unique(labels[order], return_index=True)
    yield from zip(classes.tolist(), np.split(order, starts[1:]), strict=True)


def _margins(logits: Logits, label: int, voxels: NDArray[np.int64]) -> Logits:
    """Of some voxels of one true class."""
    step = max(1, CHUNK // len(logits))
    parts = (voxels[start : start + step] for start in range(0, len(voxels), step))
    return np.concatenate([voxel_margins(logits[:, part], label) for part in parts])
