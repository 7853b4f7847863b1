"""What is looked into: the probe set (the images with concepts), and the layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.settings.methods import Layers


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


def layers_of(layers: Layers, path: str = "layers") -> tuple[tuple[str, ...], str]:
    """Where the units and the saliency of a classifier are, which must both be named.

    Args:
        layers: as a user gave them.
        path: where they stand, for the message.

    Raises:
        RarelensError: a sentence for each that is not named.
    """
    problems = []
    if not layers.units:
        problems.append(f"{path}.units: a classifier needs some; name at least one of its modules")
    if layers.saliency is None:
        problems.append(f"{path}.saliency: a classifier needs one; name the module for Grad-CAM")
    if layers.saliency is None or problems:
        raise RarelensError(*problems)
    return layers.units, layers.saliency
