"""Tables of one case's logits: moments, histograms, calibration, a sample of voxels.

Each function returns a tidy table without the columns ``case`` and ``side``, in a fixed order.
`rarelens.measures.margins` defines the margin.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from rarelens.measures.histograms import Moments, bin_of, count_bins
from rarelens.measures.margins import voxel_margins

Logits = NDArray[np.float32]
Labels = NDArray[Any]


def moments(logits: Logits, labels: Labels) -> pd.DataFrame:
    """Count, sum, sum of squares and negatives of the margin, per true class.

    Args:
        logits: (C, N).
        labels: true classes (N,).
    """
    rows = []
    for label in np.unique(labels):
        margin = Moments.of(voxel_margins(logits[:, labels == label], label))
        rows.append(
            {
                "class": int(label),
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
    frames = []
    for label in np.unique(labels):
        own = logits[:, labels == label]
        quantities = {"margin": voxel_margins(own, label)}
        quantities |= {f"logit_{k}": own[k] for k in range(len(own))}
        found = [count_bins(bin_of(values, width)[None]) for values in quantities.values()]
        names = np.array(list(quantities), dtype=object)
        columns = {
            "quantity": names.repeat([len(counts) for _, counts in found]),
            "bin": np.concatenate([bins[0] for bins, _ in found]),
            "count": np.concatenate([counts for _, counts in found]),
        }
        # One frame a class: of many classes, one a logit would take longer than the counting.
        frames.append(pd.DataFrame({"class": int(label), **columns}))
    return pd.concat(frames, ignore_index=True)


def joint_histograms(logits: Logits, labels: Labels, width: float) -> pd.DataFrame:
    """Counts of (z_0, z_k) for each foreground class k, of voxels whose true class is 0 or k."""
    frames = []
    for k in range(1, len(logits)):
        for label in (0, k):
            pairs = bin_of(logits[[0, k]][:, labels == label], width)
            bins, counts = count_bins(pairs)
            columns = {"bin_x": bins[0], "bin_y": bins[1], "count": counts}
            frames.append(pd.DataFrame({"class": label, "foreground": k, **columns}))
    return pd.concat(frames, ignore_index=True)


def calibration(logits: Logits, labels: Labels, bins: int) -> pd.DataFrame:
    """Per class, in equal-width bins of its probability: voxels, Σ probability, Σ [it is true]."""
    probabilities = softmax(logits.astype(np.float64), axis=0)
    frames = []
    for k, p in enumerate(probabilities):
        which = np.minimum((p * bins).astype(np.int32), bins - 1)
        table = {
            "class": k,
            "bin": np.arange(bins, dtype=np.int32),
            "count": np.bincount(which, minlength=bins),
            "sum_confidence": np.bincount(which, p, bins),
            "sum_positive": np.bincount(which, labels == k, bins).astype(np.int64),
        }
        frames.append(pd.DataFrame(table))
    return pd.concat(frames, ignore_index=True)


def sample(
    logits: Logits, labels: Labels, shape: tuple[int, ...], most: int, seed: int, case: str
) -> pd.DataFrame:
    """At most ``most`` voxels per true class, drawn without replacement: position and logits."""
    rng = np.random.default_rng([seed, zlib.crc32(case.encode())])
    frames = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        chosen = np.sort(rng.choice(own, min(most, own.size), replace=False))
        position = np.array(np.unravel_index(chosen, shape), dtype=np.int32)
        columns = dict(zip("xyz", position, strict=True))
        columns |= {f"z_{k}": logits[k, chosen] for k in range(len(logits))}
        frames.append(pd.DataFrame({"class": int(label), **columns}))
    return pd.concat(frames, ignore_index=True)
