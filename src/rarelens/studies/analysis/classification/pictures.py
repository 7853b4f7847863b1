"""Which images the report shows, the same for all cells of a dataset, and how they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.studies.data.classification.prepared import PreparedImages


def picture(raw: NDArray[Any]) -> NDArray[np.uint8]:
    """An image as stored, (C, H, W), in 8 bits."""
    if raw.dtype == np.uint8:
        return raw
    return (raw >> 8).astype(np.uint8)


def panel_choice(data: PreparedImages, maps: pd.DataFrame, number: int, seed: int) -> list[int]:
    """Concepts to show: class after class, the rarest first; test images before others.

    Nothing that depends on the cell is looked at, so that all cells show the same. An image is
    shown once, unless there are too few.

    Args:
        data: the prepared dataset.
        maps: ``concept``, ``row`` and ``class`` of the saliency maps there are.
        number: how many to show, at most.
        seed: decides among images of the same kind.

    Returns:
        Positions in ``concepts.npy``.
    """
    order = np.random.default_rng([seed, len(data.table)]).permutation(len(data.table))
    split = data.table.sort_values("row")["split"].to_numpy()
    rows = maps["row"].to_numpy(np.int64)
    ranked = maps[["concept", "row", "class"]].assign(
        other=split[rows] != "test",
        drawn=order[rows],
        regions=maps["class"].map(data.concepts["class"].value_counts()).to_numpy(),
    )
    ranked = ranked.sort_values(["other", "drawn"], kind="stable")
    ranked["again"] = ranked.duplicated("row")
    ranked = ranked.sort_values(["again", "other", "drawn"], kind="stable")
    ranked["turn"] = ranked.groupby("class").cumcount()
    chosen = ranked.sort_values(["turn", "regions", "class"], kind="stable")
    return [int(concept) for concept in chosen["concept"].head(number)]
