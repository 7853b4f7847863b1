"""What decides a segmentation network's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.splits import rare_classes_of, training_subset
from rarelens.studies.settings.methods import Method
from rarelens.studies.settings.segmentation.datasets import Preprocess
from rarelens.studies.settings.segmentation.stages import TrainSegmentation
from rarelens.studies.training.job import Job


@dataclass(frozen=True, kw_only=True)
class SegmentationJob(Job):
    """One cell's training; see `rarelens.studies.training.job.Job`."""

    method: Method
    settings: TrainSegmentation
    preprocess: Preprocess
    patch_size: tuple[int, int, int]
    rare_classes: Literal["auto"] | tuple[int | str, ...]
    rare_threshold: float

    @property
    def foreground_share(self) -> float:
        """Share of patches centred on foreground: the method's own, or else the training's."""
        own = self.method.foreground_share
        return self.settings.foreground_share if own is None else own

    @property
    def foreground_jitter(self) -> float:
        """How far off the middle that foreground lies: the method's own, or the training's."""
        own = self.method.foreground_jitter
        return self.settings.foreground_jitter if own is None else own

    def rare(self, data: PreparedDataset) -> tuple[int, ...]:
        """The dataset's rare classes."""
        return rare_classes_of(data, self.rare_classes, self.rare_threshold)

    def training_cases(self, data: PreparedDataset) -> list[str]:
        """The cell's training subset."""
        return training_subset(data.table, self.cell.fraction, self.cell.seed, self.rare(data))

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, the same after a way through JSON."""
        rare = self.rare_classes
        return super().as_dict() | {
            "patch_size": list(self.patch_size),
            "rare_classes": rare if rare == "auto" else list(rare),
            "rare_threshold": self.rare_threshold,
        }
