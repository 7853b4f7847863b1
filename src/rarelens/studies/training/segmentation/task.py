"""The segmentation task: patches, the method's terms, Dice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.model import build_network, training_patch
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.loop import Trained, check_selection
from rarelens.studies.training.loop import train as train_task
from rarelens.studies.training.progress import Row
from rarelens.studies.training.segmentation.builders import build_terms
from rarelens.studies.training.segmentation.job import Job
from rarelens.studies.training.segmentation.validation import validation_dice


def train(
    job: Job, data: PreparedDataset, checkpoints: Checkpoints, on_epoch: Callable[[Row], None]
) -> Trained:
    """Train one cell on the prepared dataset; see `rarelens.studies.training.loop.train`."""
    make = partial(SegmentationTask, job, data)
    return train_task(job.cell, job.settings, make, checkpoints, on_epoch)


class SegmentationTask:
    """See `rarelens.studies.training.task.Task`.

    Args:
        job: the parameters.
        data: the prepared dataset.

    Raises:
        RarelensError: if parts of the method or the settings do not fit together.
    """

    unit = "patches"
    score = "validation_dice"

    def __init__(self, job: Job, data: PreparedDataset) -> None:
        self.job, self.data = job, data
        self.validation = data.cases("validation")
        lacking = None if self.validation else "validation cases"
        check_selection(job.cell, job.settings, lacking)
        self.network = build_network(job.network, len(data.channels), len(data.classes))
        cases = job.training_cases(data)
        self.context = int(getattr(self.network, "context", 0))
        self.sampler = PatchSampler(
            data,
            cases,
            training_patch(self.network, job.patch_size)[0],
            job.settings.batch_size,
            job.foreground_share,
            job.cell.seed,
            self.context,
        )
        counts = np.sum(np.stack(data.table.loc[cases, "voxels"].tolist()), axis=0).tolist()
        self.terms = build_terms(job.cell.method, job.method, counts, job.rare(data))
        self.objective = self.terms.objective
        self.gradient_evaluations = self.terms.gradient_evaluations
        self.separate_steps = job.method.separate_steps
        self.steps = job.settings.steps
        if job.settings.budget == "gradient_evaluations":
            self.steps = max(1, self.steps // self.gradient_evaluations)
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move what the losses hold."""
        self.device = device
        self.terms.to(device)

    def losses(self, network: nn.Module, step: int) -> Iterator[Tensor]:
        """The terms of a step."""
        rng = np.random.default_rng([self.job.cell.seed, step, 1])
        images, labels = self.terms.prepare(self.sampler.batch(step), rng)
        # The network gives no logits for the context.
        middle = slice(self.context, -self.context or None)
        target = torch.from_numpy(labels[:, middle, middle, middle]).to(self.device)
        form = torch.channels_last_3d
        inputs = torch.from_numpy(images).to(self.device, memory_format=form)
        yield from self.terms.losses(network, inputs, target, rng)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean Dice over the validation cases, where there are any."""
        if not self.validation:
            return {}
        size = self.job.patch_size
        return {self.score: validation_dice(network, self.data, self.validation, size)}

    def culprits(self, step: int) -> str:
        """The cases of a step's patches."""
        return f"cases {', '.join(sorted(set(self.sampler.batch(step).cases)))}"
