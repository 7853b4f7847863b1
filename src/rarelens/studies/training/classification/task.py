"""The classification task: augmented images, the method's objective, average precision."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rarelens.components.contracts import Progressive
from rarelens.components.sampling import draw
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.models.classification.inference import outputs
from rarelens.studies.models.classification.model import build_classifier
from rarelens.studies.training.classification.augmentation import augment
from rarelens.studies.training.classification.builders import build_objective, image_weights
from rarelens.studies.training.classification.job import ClassificationJob
from rarelens.studies.training.loop import check_selection
from rarelens.studies.training.task import Batch


class ClassificationTask:
    """See `rarelens.studies.training.task.Task`.

    Args:
        job: the parameters.
        data: the prepared images.

    Raises:
        RarelensError: if parts of the method or the settings do not fit together.
    """

    unit = "images"
    score = "validation_average_precision"
    gradient_evaluations = 1
    separate_steps = False

    def __init__(self, job: ClassificationJob, data: PreparedImages) -> None:
        self.job, self.data = job, data
        self.steps = job.settings.steps
        self.validation = data.rows("validation")
        self.can_validate = bool(defined_classes(data.labels(self.validation)))
        lacking = None if self.can_validate else "validation images of both signs of a label"
        check_selection(job.cell, job.settings, lacking)
        self.network = build_classifier(job.network, data.channels, len(data.classes))
        self.rows = data.table.loc[job.training_cases(data), "row"].to_numpy(np.int64)
        labels = data.labels(self.rows)
        self.objective = build_objective(job.cell.method, job.method, labels)
        self.weights = image_weights(job.cell.method, job.method, labels)
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move what the losses hold."""
        self.device = device
        self.objective.to(device)

    def batch(self, step: int) -> Batch:
        """The images of a step, augmented, and their labels."""
        rows = self._rows(step)
        rng = np.random.default_rng([self.job.cell.seed, step, 1])
        images = augment(self.data.images(rows), self.job.settings, rng)
        labels = self.data.labels(rows)
        return Batch(step, torch.from_numpy(images), torch.from_numpy(labels), rng)

    def losses(self, network: nn.Module, batch: Batch) -> Iterator[Tensor]:
        """The objective of a step's batch."""
        images = batch.images.to(self.device, non_blocking=True)
        inputs = images.to(memory_format=torch.channels_last)
        target = batch.target.to(self.device, non_blocking=True)
        if isinstance(self.objective, Progressive):
            self.objective.progress(batch.step / self.steps)
        yield self.objective(network(inputs), target)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean average precision over the validation images, where a class has both signs."""
        if not self.can_validate:
            return {}
        logits = outputs(network, network, self.data.images, self.validation)
        labels = self.data.labels(self.validation)
        return {self.score: mean_average_precision(logits, labels)}

    def batch_contents(self, step: int) -> str:
        """The images of a step's batch."""
        table = self.data.table
        return f"images {', '.join(sorted(table.index[table['row'].isin(self._rows(step))]))}"

    def _rows(self, step: int) -> NDArray[np.int64]:
        """The rows of a step's images."""
        seed, size = self.job.cell.seed, self.job.settings.batch_size
        return self.rows[draw(self.weights, size, seed, step)]


def defined_classes(labels: NDArray[np.float32]) -> list[int]:
    """Classes whose labels (N, C) have both signs."""
    both = (labels == 1).any(axis=0) & (labels == 0).any(axis=0)
    return [int(index) for index in np.flatnonzero(both)]


def mean_average_precision(logits: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
    """Mean over the classes that have both signs, of which there is at least one.

    Args:
        logits: (N, C).
        labels: (N, C), 1, 0 or NaN (ignored).
    """
    # Imported here, for it takes a second.
    from sklearn.metrics import average_precision_score

    # Of a network that diverges the loss tells, at the next step.
    finite = np.nan_to_num(logits)
    scores = []
    for index in defined_classes(labels):
        known = ~np.isnan(labels[:, index])
        scores.append(average_precision_score(labels[known, index], finite[known, index]))
    return float(np.mean(scores))
