"""The groups that a sampler balances: classes, and the images that have none of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def groups(labels: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which groups (N, G) the images are in; an image is in at least one, and none is empty.

    First the classes, an image being in those that it is positive for; last, the images without
    any positive label. Groups without images are left out.
    """
    positive = labels == 1
    member = np.column_stack([positive, ~positive.any(axis=1)])
    return member[:, member.any(axis=0)]
