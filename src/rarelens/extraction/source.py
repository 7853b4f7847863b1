"""Where logits come from: a trained model, and what a post-hoc control adds to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rarelens.components import check_options, find, needs
from rarelens.config import Adjustment, ExtractSegmentation
from rarelens.data.prepared import PreparedDataset
from rarelens.errors import RarelensError
from rarelens.inference import dense_logits
from rarelens.model import load_model

GIVEN_TO_ADJUSTMENTS = ("class_priors", "rare_classes")


class LogitSource:
    """Dense logits of the cases of a dataset.

    Args:
        model: the model's folder.
        data: the prepared dataset.
        settings: window overlap and batch.
        adjustment: a post-hoc control, fitted here on the validation cases.

    Attributes:
        card: of the model.
        bias: (C,), added to every logit vector; 0 without an adjustment.

    Raises:
        RarelensError: if there is no model, or no validation case to fit an adjustment on.
    """

    def __init__(
        self,
        model: Path,
        data: PreparedDataset,
        settings: ExtractSegmentation,
        adjustment: Adjustment | None,
    ) -> None:
        self.network, self.card = load_model(model)
        self.data = data
        self.settings = settings
        self.bias = np.zeros(len(self.card.classes), np.float32)
        if adjustment is not None:
            self.bias = self._fit(adjustment)

    def logits(self, case: str) -> NDArray[np.float32]:
        """Logits (C, X, Y, Z) on the prepared grid."""
        window, batch = self.settings.window_overlap, self.settings.window_batch
        image = self.data.image(case)
        logits = dense_logits(self.network, image, self.card.patch_size, window, batch)
        return logits + self.bias.reshape(-1, 1, 1, 1)

    def _fit(self, adjustment: Adjustment) -> NDArray[np.float32]:
        cases = self.card.validation_cases
        if not cases:
            raise RarelensError(
                f"adjustments: {adjustment.adjustment} is fitted on validation cases, and "
                f"{self.data.name} has none; set split.validation"
            )
        voxels = np.stack(self.data.table.loc[list(self.card.training_cases), "voxels"].tolist())
        counts = voxels.sum(0)
        given = {
            "class_priors": (counts / counts.sum()).tolist(),
            "rare_classes": list(self.card.rare_classes),
        }
        component = find("adjustments", adjustment.adjustment)
        options = check_options(component, adjustment.options, GIVEN_TO_ADJUSTMENTS, "adjustments")
        fit = component(**options, **{key: given[key] for key in needs(component, list(given))})
        bias: NDArray[np.float32] = fit(
            (self.logits(case), self.data.label(case)) for case in cases
        )
        return bias
