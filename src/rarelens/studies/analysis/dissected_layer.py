"""One layer's dissection by the settings of a study, as rows of ``dissection.parquet``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.measures.dissection import dissect
from rarelens.measures.dissection.mask_permutation import Masks
from rarelens.studies.settings.stages import Dissection

DISSECTION = [
    *("layer", "unit", "class", "iou", "ceiling", "iou_over_ceiling", "null", "p", "p_corrected"),
    *("threshold", "coverage", "dead", "detects", "detects_beyond_null"),
]


def dissect_layer(
    layer: str,
    activations: NDArray[Any],
    masks: NDArray[np.bool_] | Masks,
    patients: pd.Series,
    settings: Dissection,
    seed: int,
) -> pd.DataFrame:
    """One row per unit and concept, with the columns `DISSECTION`; class is the concept's number.

    Args:
        layer: its name.
        activations: (N, K, *grid), may be memory-mapped.
        masks: as `rarelens.measures.dissection.dissection.dissect` takes them.
        patients: of each of the N images; their masks move together.
        settings: quantile, rules of detection, permutations.
        seed: of the permutations.
    """
    result = dissect(
        activations,
        masks,
        settings.quantile,
        settings.iou_threshold,
        groups=patients.to_numpy(),
        maps=settings.maps,
        permutations=settings.permutations,
        null_level=settings.null_level,
        ceiling_share=settings.ceiling_share,
        exact_quantile_values=settings.exact_quantile_values,
        seed=seed,
    )
    return result.table().assign(layer=layer)[DISSECTION]
