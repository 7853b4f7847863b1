"""The margin of a voxel, and the two shifts that are made of margins.

**Margin**, in logits. Of a voxel of true class c: d = z_c − max over k ≠ c of z_k; below 0 it is
misclassified (Li, Kamnitsas, Glocker, IEEE TMI 2021). Of an image and a finding with the one
logit z: d = z where the finding is present and d = −z where it is not, which is the margin of the
logits (0, z).

**Shift** of a class: its margins on the test side against those on the training side. There are
two, with two names:

- the *subject-mean shift*: each subject's mean margin, then the mean over the subjects of a side,
  test − train. Each subject has one vote, however large its structures are
  (`rarelens.measures.shift.subject_mean_shift`; what the comparison of methods reports).
- the *voxel-pooled shift*: all voxels of a side as one sample; mean, median, quantiles, and the
  distance of whole distributions. Large structures weigh more
  (`rarelens.measures.shift.voxel_pooled_shift`; ``shift.parquet``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.measures.histograms import Moments, bin_of, count_bins


def voxel_margins(logits: NDArray[Any], label: int) -> NDArray[Any]:
    """Margins z_label − max of the others, (N,), of voxels of one true class.

    Args:
        logits: (C, N).
        label: their true class.

    Examples:
        >>> voxel_margins(np.array([[3.0, 0.0], [1.0, 2.0], [0.0, 4.0]]), 1)
        array([-2., -2.])
    """
    margins: NDArray[Any] = logits[label] - np.delete(logits, label, axis=0).max(0)
    return margins


def finding_margins(logits: NDArray[Any], present: NDArray[np.bool_]) -> NDArray[Any]:
    """Margins of a finding in images, (N,): z where it is present, −z where it is not.

    Args:
        logits: (N,).
        present: (N,).

    Examples:
        >>> finding_margins(np.array([2.0, 2.0]), np.array([True, False]))
        array([ 2., -2.])
    """
    return np.where(present, logits, -logits)


@dataclass(frozen=True)
class MarginCounts:
    """Margins of one class in one subject: exact sums, and how many fall into each fine bin.

    ``bins`` (K,) ascending and ``counts`` (K,), as `rarelens.measures.histograms` has them; the
    sum of two is that of their voxels together.
    """

    moments: Moments
    bins: NDArray[np.int32]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, margins: NDArray[Any], width: float) -> MarginCounts:
        """Count margins in bins of ``width`` logits.

        Raises:
            ValueError: if one is not finite, or too large for such bins.
        """
        (bins,), counts = count_bins(bin_of(margins, width)[None])
        return cls(Moments.of(margins), bins, counts)

    def __add__(self, other: MarginCounts) -> MarginCounts:
        bins, place = np.unique(np.concatenate([self.bins, other.bins]), return_inverse=True)
        counts = np.zeros(len(bins), np.int64)
        np.add.at(counts, place, np.concatenate([self.counts, other.counts]))
        sums = (one + two for one, two in zip(self.moments, other.moments, strict=True))
        return MarginCounts(Moments(*sums), bins, counts)
