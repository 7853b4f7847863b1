"""A training job: everything that decides a classifier's weights, and its identity."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.data.classification.splits import image_subset
from rarelens.studies.models.classification.classifier import INITIAL_WEIGHTS
from rarelens.studies.settings.classification.datasets import ImagePreprocess
from rarelens.studies.settings.classification.stages import TrainClassification
from rarelens.studies.settings.methods import ClassificationMethod, Network
from rarelens.studies.training.identity import identify


@dataclass(frozen=True)
class ClassificationJob:
    """One cell's training: parameters as a stage reads them, and the digest of the stage's code.

    ``code`` is empty where nothing is trained by a stage.
    """

    cell: Cell
    network: Network
    method: ClassificationMethod
    settings: TrainClassification
    preprocess: ImagePreprocess
    code: str = ""

    def training_images(self, data: PreparedImages) -> list[str]:
        """The cell's training subset."""
        return image_subset(data.table, self.cell.fraction, self.cell.seed)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, the same after a way through JSON."""
        sections = {
            key: getattr(self, key).model_dump(mode="json")
            for key in ("network", "method", "settings", "preprocess")
        }
        return {"cell": asdict(self.cell), **sections}

    def identity(self, data: PreparedImages) -> str:
        """A digest of all that the weights depend on: parameters, data, code, packages."""
        digest = data.digest()
        initial = self.network.options.get(INITIAL_WEIGHTS)
        # A file that is missing is told when the network is built.
        if initial is not None and Path(initial).is_file():
            with Path(initial).open("rb") as stream:
                digest += hashlib.file_digest(stream, "sha256").hexdigest()
        return identify(self.as_dict(), digest, self.code)
