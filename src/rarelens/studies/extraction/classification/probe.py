"""The probe set: the images with concepts, which unit activations and saliency are taken of."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def probe_rows(concepts: pd.DataFrame, most: int | None, seed: int) -> NDArray[np.int64]:
    """Rows of the images that have at least one concept region, ascending.

    If there are more than ``most``, a draw that depends on the concepts and the seed only, so
    that all cells of a dataset look into the same images. Classes take turns, the one in the
    fewest images first, each with an image of its own that was not taken before: a rare class is
    kept whole as long as it has fewer images than its share, and none is crowded out. Larger
    draws contain the smaller ones.

    Args:
        concepts: ``row`` and ``class`` of each concept region.
        most: images, or None for all.
        seed: of the draw.
    """
    rows: NDArray[np.int64] = np.unique(concepts["row"].to_numpy(np.int64))
    if most is None or len(rows) <= most:
        return rows
    shuffled = np.random.default_rng([seed]).permutation(rows)
    place = {int(row): position for position, row in enumerate(shuffled)}
    queues = [
        sorted({int(row) for row in own}, key=place.__getitem__)
        for _, own in concepts.groupby("class")["row"]
    ]
    queues.sort(key=len)
    chosen: dict[int, None] = {}
    while len(chosen) < most:
        for queue in queues:
            own_next = next((row for row in queue if row not in chosen), None)
            if own_next is not None and len(chosen) < most:
                chosen[own_next] = None
    return np.array(sorted(chosen), np.int64)
