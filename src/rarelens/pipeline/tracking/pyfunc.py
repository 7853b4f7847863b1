"""What `mlflow.pyfunc.load_model` calls: from MLflow's pointer to a cell's weights on disk.

This module's name stands in the files of every model in MLflow: raise `recorded.VERSION` if it
changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.files import read_json
from rarelens.studies.models.classification.prediction import Classifier
from rarelens.studies.models.prediction import load_model
from rarelens.studies.models.segmentation.segmenter import Segmenter

POINTER = "rarelens.json"
PROJECT = "project"
"""The key of MLflow's ``model_config`` for the folder that ``models/`` lies in."""


class Adjusted(Segmenter):
    """A segmentation model whose logits are adjusted after training.

    Args:
        folder: of the trained model.
        bias: (C,), added to every logit vector.
    """

    def __init__(self, folder: Path, bias: Sequence[float]) -> None:
        super().__init__(folder)
        self.bias = np.array(bias, np.float32).reshape(-1, 1, 1, 1)

    def logits(self, prepared: NDArray[Any]) -> NDArray[np.float32]:
        """As of any `Segmenter`, adjusted."""
        adjusted: NDArray[np.float32] = super().logits(prepared) + self.bias
        return adjusted


class Volumes:
    """A segmentation model as MLflow calls it."""

    def __init__(self, model: Segmenter) -> None:
        self.model = model

    def predict(self, data: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Probabilities (C, X, Y, Z) of an ``image`` (channels, X, Y, Z) with its ``affine``."""
        return self.model.probabilities(data["image"], data["affine"])


class Pictures:
    """A classifier as MLflow calls it."""

    def __init__(self, model: Classifier) -> None:
        self.model = model

    def predict(self, picture: NDArray[Any]) -> NDArray[np.float32]:
        """A probability of each class (C,), of a picture (H, W) or (H, W, 3)."""
        return self.model.probabilities(picture)


def _load_pyfunc(data: str, config: dict[str, str]) -> Volumes | Pictures:
    """The model that the pointer leads to.

    Raises:
        RarelensError: if its weights are not there, or are others than those that MLflow shows.
    """
    pointer = read_json(Path(data))
    folder = Path(config[PROJECT]) / pointer["folder"]
    file = folder / "weights.safetensors"
    if not file.is_file():
        raise RarelensError(
            f"{file}: not here; `dvc pull {pointer['folder']}` or `dvc repro` in the project's "
            f"folder brings it, and model_config={{'{PROJECT}': …}} says where that is"
        )
    with file.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != pointer["weights_sha256"]:
            raise RarelensError(
                f"{file}: other weights than those of this model in MLflow; `rarelens sync` shows "
                "those that stand here, or check out the commit that its run names"
            )
    bias = pointer["logit_bias"]
    model = load_model(folder) if bias is None else Adjusted(folder, bias)
    return Volumes(model) if isinstance(model, Segmenter) else Pictures(model)
