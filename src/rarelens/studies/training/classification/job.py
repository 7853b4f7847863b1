"""What decides a classifier's weights."""

from __future__ import annotations

from dataclasses import dataclass

from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.data.classification.splits import image_subset
from rarelens.studies.settings.classification.datasets import ImagePreprocess
from rarelens.studies.settings.classification.stages import TrainClassification
from rarelens.studies.settings.methods import ClassificationMethod
from rarelens.studies.training.job import Job


@dataclass(frozen=True, kw_only=True)
class ClassificationJob(Job):
    """One cell's training; see `rarelens.studies.training.job.Job`."""

    method: ClassificationMethod
    settings: TrainClassification
    preprocess: ImagePreprocess

    def training_cases(self, data: PreparedImages) -> list[str]:
        """The cell's training subset: images."""
        return image_subset(data.table, self.cell.fraction, self.cell.seed)
