"""Where logits come from: a trained model, and what a post-hoc control adds to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.components.contracts import GivenToAdjustments
from rarelens.errors import RarelensError
from rarelens.studies.building import build
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.inference import dense_logits
from rarelens.studies.models.segmentation.model import load_segmenter
from rarelens.studies.models.storage import refuse_not_finite
from rarelens.studies.settings.methods import Adjustment
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation

Bias = NDArray[np.float32]
Fit = Callable[[Iterable[tuple[NDArray[np.float32], NDArray[Any]]]], Bias]


def build_adjustment(
    settings: Adjustment, priors: Sequence[float], rare: Sequence[int], path: str
) -> Fit:
    """The post-hoc control of ``settings``, which stand at ``path``.

    Raises:
        RarelensError: if there is no such control, or it does not take its options.
    """
    given: GivenToAdjustments = {"class_priors": list(priors), "rare_classes": list(rare)}
    fit: Fit = build("adjustments", settings.adjustment, settings.options, path, given)
    return fit


def bias_without_cases(fit: Fit, path: str, dataset: str) -> Bias:
    """The bias (C,) of a control where the dataset has no validation cases.

    Raises:
        RarelensError: if the control is one that is fitted on them.
    """
    try:
        return fit(())
    except ValueError as error:
        raise RarelensError(
            f"params.yaml: {path}: {error}; give {dataset} some by datasets.{dataset}.split"
        ) from error


class CaseLogits:
    """Dense logits of the cases of a dataset.

    Args:
        model: the model's folder.
        data: the prepared dataset.
        settings: window overlap and batch.
        adjustment: a post-hoc control, fitted here on the validation cases if it needs any.

    Attributes:
        card: of the model.
        bias: (C,), added to every logit vector; 0 without an adjustment.

    Raises:
        RarelensError: if there is no model, or no validation case where the adjustment
            needs some.
    """

    def __init__(
        self,
        model: Path,
        data: PreparedDataset,
        settings: ExtractSegmentation,
        adjustment: Adjustment | None,
    ) -> None:
        self.network, self.card = load_segmenter(model)
        self.data = data
        self.settings = settings
        self.bias = np.zeros(len(self.card.classes), np.float32)
        if adjustment is not None:
            self.bias = self._fit(adjustment)

    def of(self, case: str) -> NDArray[np.float32]:
        """Logits (C, X, Y, Z) on the prepared grid."""
        window, batch = self.settings.window_overlap, self.settings.window_batch
        image = self.data.image(case)
        logits = dense_logits(self.network, image, self.card.patch_size, window, batch)
        refuse_not_finite(logits, case)
        logits += self.bias.reshape(-1, 1, 1, 1)
        return logits

    def _fit(self, adjustment: Adjustment) -> Bias:
        voxels = np.stack(self.data.table.loc[list(self.card.training_cases), "voxels"].tolist())
        counts = voxels.sum(0)
        priors, path = (counts / counts.sum()).tolist(), "adjustments.segmentation"
        fit = build_adjustment(adjustment, priors, self.card.rare_classes, path)
        cases = self.card.validation_cases
        if not cases:
            return bias_without_cases(fit, path, self.data.name)
        return fit((self.of(case), self.data.label(case)) for case in cases)
