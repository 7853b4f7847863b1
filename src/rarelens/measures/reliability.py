"""Do probabilities hold? Bins of equal mass, and how far they are off."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def equal_mass_bins(values: ArrayLike, bins: int) -> Integers:
    """Bin of each value: as many images in each bin as ties, which stay together, allow.

    Args:
        values: (n,).
        bins: the most bins there are.

    Returns:
        (n,), 0 to ``bins`` − 1; independent of the order of the values.
    """
    values = np.asarray(values, dtype=np.float64)
    below = np.searchsorted(np.sort(values), values, side="left")
    return (below * bins // max(len(values), 1)).astype(np.int64)


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int) -> pd.DataFrame:
    """Mean probability against the share of positives, in bins of equal mass.

    Args:
        probabilities: (n,) of one class.
        labels: (n,), 1 or 0.
        bins: the most bins there are.

    Returns:
        bin, predicted, observed, count; a row for each bin that holds an image.
    """
    table = pd.DataFrame(
        {
            "bin": equal_mass_bins(probabilities, bins),
            "predicted": np.asarray(probabilities, dtype=np.float64),
            "observed": np.asarray(labels, dtype=np.float64),
        }
    )
    grouped = table.groupby("bin", sort=True)
    means = grouped[["predicted", "observed"]].mean()
    return means.assign(count=grouped.size()).reset_index()
