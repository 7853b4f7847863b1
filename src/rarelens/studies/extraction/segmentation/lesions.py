"""Lesions of a case: what the label map finds of each, and its mean margin.

They are those of the case's own grid, where the label maps are and overlap is measured: resampled
to the prepared grid, the smallest lesions can vanish and neighbours fuse, and volumes change. The
margins are of the very logits whose largest is the label map's class, interpolated to that grid; a
voxel outside the prepared field of view has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from rarelens.measures.lesions import lesion_rows, margin_map

SIDES = ("train", "test")
LESIONS = {
    **{"class": np.int64, "lesion": np.int64, "voxels": np.int64, "volume": np.float64},
    **{"detected": np.bool_, "iou": np.float64, "dice": np.float64, "margin": np.float64},
}
COUNTS = dict.fromkeys(("class", "lesions", "detected", "predicted", "false_alarms"), np.int64)


def load_reference(file: Path) -> tuple[NDArray[np.uint16], tuple[float, ...]]:
    """Label map (X, Y, Z) of a prepared dataset on the case's own grid, and its spacing in mm."""
    image: Any = nib.load(file)
    return np.asarray(image.dataobj, np.uint16), tuple(voxel_sizes(image.affine).tolist())


def lesion_tables(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    logits: NDArray[np.float32],
    spacing: tuple[float, ...],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row a lesion, `LESIONS`, and one a foreground class, `COUNTS`.

    Args:
        predicted: label map (X, Y, Z).
        truth: label map of the same shape.
        logits: (C, n) of the n voxels of the truth's foreground; NaN where there are none.
        spacing: mm.
    """
    rows, counts = lesion_rows(predicted, truth, len(logits), spacing, margin_map(logits, truth))
    return (
        pd.DataFrame(rows, columns=list(LESIONS)).astype(LESIONS),
        pd.DataFrame(counts, columns=list(COUNTS)).astype(COUNTS),
    )
