"""The slice of a subject that an image panel of the report shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_panel(
    file: Path,
    image: NDArray[Any],
    labels: NDArray[Any],
    logits: NDArray[np.float32],
    rare: Sequence[int],
) -> None:
    """Save image, truth, prediction and rare-class margin of the slice with most rare voxels.

    Args:
        file: the .npz to write; it holds no case id.
        image: (channels, X, Y, Z), of which the first channel is shown.
        labels: (X, Y, Z).
        logits: (C, X, Y, Z).
        rare: rare classes; the margin is the best of theirs minus the best of the others.
    """
    z = int(np.isin(labels, rare).sum((0, 1)).argmax())
    is_rare = np.isin(np.arange(len(logits)), rare)
    here = logits[..., z]
    np.savez_compressed(
        file,
        image=np.asarray(image[0, ..., z], np.float32),
        truth=np.asarray(labels[..., z], np.uint8),
        prediction=here.argmax(0).astype(np.uint8),
        margin=here[is_rare].max(0) - here[~is_rare].max(0),
    )
