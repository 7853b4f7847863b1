"""The classification task: augmented images, the method's objective, average precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rarelens.components.contracts import Progressive
from rarelens.components.sampling import draw
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.models.classification.classifier import build_classifier
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.classification.augmentation import augment
from rarelens.studies.training.classification.builders import build_objective, image_weights
from rarelens.studies.training.classification.job import ClassificationJob
from rarelens.studies.training.classification.outputs import outputs
from rarelens.studies.training.classification.validation import (
    defined_classes,
    mean_average_precision,
)
from rarelens.studies.training.loop import Trained, check_selection
from rarelens.studies.training.loop import train as train_task
from rarelens.studies.training.progress import Row


def train(
    job: ClassificationJob,
    data: PreparedImages,
    checkpoints: Checkpoints,
    on_epoch: Callable[[Row], None],
) -> Trained:
    """Train one cell on the prepared images; see `rarelens.studies.training.loop.train`."""
    make = partial(ClassificationTask, job, data)
    return train_task(job.cell, job.settings, make, checkpoints, on_epoch)


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
        self.rows = data.table.loc[job.training_images(data), "row"].to_numpy(np.int64)
        labels = data.labels(self.rows)
        self.objective = build_objective(job.cell.method, job.method, labels)
        self.weights = image_weights(job.cell.method, job.method, labels)
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move what the losses hold."""
        self.device = device
        self.objective.to(device)

    def losses(self, network: nn.Module, step: int) -> Iterator[Tensor]:
        """The objective of a step's batch."""
        rows = self._batch(step)
        rng = np.random.default_rng([self.job.cell.seed, step, 1])
        images = augment(self.data.images(rows), self.job.settings, rng)
        form = torch.channels_last
        inputs = torch.from_numpy(images).to(self.device, memory_format=form)
        target = torch.from_numpy(self.data.labels(rows)).to(self.device)
        if isinstance(self.objective, Progressive):
            self.objective.progress(step / self.steps)
        yield self.objective(network(inputs), target)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean average precision over the validation images, where a class has both signs."""
        if not self.can_validate:
            return {}
        logits = outputs(network, network, self.data, self.validation)
        labels = self.data.labels(self.validation)
        return {self.score: mean_average_precision(logits, labels)}

    def culprits(self, step: int) -> str:
        """The images of a step's batch."""
        table = self.data.table
        return f"images {', '.join(sorted(table.index[table['row'].isin(self._batch(step))]))}"

    def _batch(self, step: int) -> NDArray[np.int64]:
        """The rows of a step's images."""
        seed, size = self.job.cell.seed, self.job.settings.batch_size
        return self.rows[draw(self.weights, size, seed, step)]
