"""Validation during training: mean Dice over the validation cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from rarelens.components.dice import mean_dice
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.inference import dense_logits

OVERLAP, WINDOW_BATCH = 0.25, 4


def validation_dice(
    network: nn.Module, data: PreparedDataset, cases: Sequence[str], patch_size: Sequence[int]
) -> float:
    """Mean Dice over foreground classes and cases, on the prepared grid."""
    scores = []
    for case in cases:
        logits = dense_logits(network, data.image(case), patch_size, OVERLAP, WINDOW_BATCH)
        foreground = range(1, len(data.classes))
        scores.append(mean_dice(logits.argmax(0), data.label(case), foreground))
    return float(np.mean(scores))
