"""Validation during training: mean Dice over the validation cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from rarelens.data.prepared import PreparedDataset
from rarelens.inference import dense_logits

OVERLAP, WINDOW_BATCH = 0.25, 4


def validation_dice(
    network: nn.Module, data: PreparedDataset, cases: Sequence[str], patch_size: Sequence[int]
) -> float:
    """Mean Dice over foreground classes and cases, on the prepared grid.

    A class that a case has neither in truth nor in prediction counts as 1.
    """
    scores = []
    for case in cases:
        logits = dense_logits(network, data.image(case), patch_size, OVERLAP, WINDOW_BATCH)
        predicted, truth = logits.argmax(0), data.label(case)
        for label in range(1, len(data.classes)):
            p, t = predicted == label, truth == label
            total = p.sum() + t.sum()
            scores.append(2 * (p & t).sum() / total if total else 1.0)
    return float(np.mean(scores))
