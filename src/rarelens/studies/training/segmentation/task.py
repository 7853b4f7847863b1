"""The segmentation task: patches, the method's losses, Dice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rarelens.components._rare_classes import IGNORED
from rarelens.components.dice import mean_dice
from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.inference import dense_logits
from rarelens.studies.models.segmentation.model import build_segmenter, context, training_patch
from rarelens.studies.training.loop import check_selection
from rarelens.studies.training.segmentation.builders import build_losses
from rarelens.studies.training.segmentation.fixed import FixedPatches
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.task import Batch


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

    def __init__(self, job: SegmentationJob, data: PreparedDataset) -> None:
        self.job, self.data = job, data
        self.validation = data.cases("validation")
        lacking = None if self.validation else "validation cases"
        check_selection(job.cell, job.settings, lacking)
        self.network = build_segmenter(job.network, len(data.channels), len(data.classes))
        cases = job.training_cases(data)
        self.context = context(self.network)
        # Of labels (B, X, Y, Z): the network gives no logits for the context.
        self._middle = (slice(None), *[slice(self.context, -self.context or None)] * 3)
        patch = training_patch(self.network, job.patch_size)[0]
        self.sampler = PatchSampler(
            data,
            cases,
            patch,
            job.settings.batch_size,
            job.foreground_share,
            job.cell.seed,
            self.context,
            job.foreground_jitter,
        )
        number, seed = job.settings.margin_patches, job.cell.seed
        sides = {"train": cases, "validation": self.validation}
        self.fixed = {
            side: FixedPatches(data, of, patch, number, seed, self.context)
            for side, of in sides.items()
            if number and of
        }
        counts = np.sum(np.stack(data.table.loc[cases, "voxels"].tolist()), axis=0).tolist()
        self.step_losses = build_losses(job.cell.method, job.method, counts, job.rare(data))
        self.objective = self.step_losses.objective
        self.gradient_evaluations = self.step_losses.gradient_evaluations
        self.separate_steps = job.method.separate_steps
        self.steps = job.settings.steps
        if job.settings.budget == "gradient_evaluations":
            self.steps = max(1, self.steps // self.gradient_evaluations)
        # Of every class, and of IGNORED.
        self.label_type = np.min_scalar_type(min(-len(data.classes), IGNORED))
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move what the losses hold."""
        self.device = device
        self.step_losses.to(device)

    def batch(self, step: int) -> Batch:
        """The patches of a step; of what a regulariser prepares the labels are whole."""
        patches = self.sampler.batch(step)
        whole = bool(self.step_losses.preparing)
        labels = patches.labels if whole else patches.labels[self._middle]
        # In few bytes, for they go from process to process, and to the GPU.
        target = torch.from_numpy(labels.astype(self.label_type))
        rng = np.random.default_rng([self.job.cell.seed, step, 1])
        centres = patches.centres if whole else None
        return Batch(step, torch.from_numpy(patches.images), target, rng, centres)

    def losses(self, network: nn.Module, batch: Batch) -> Iterator[Tensor]:
        """The losses of a step, one for each pass."""
        images = batch.images.to(self.device, non_blocking=True)
        target = batch.target.to(self.device, non_blocking=True).long()
        if batch.centres is not None:
            images, target = self.step_losses.prepare(images, target, batch.centres, batch.rng)
            target = target[self._middle].contiguous()
        inputs = images.to(memory_format=torch.channels_last_3d)
        yield from self.step_losses.losses(network, inputs, target, batch.rng)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean Dice over the validation cases, where there are any, and margins of either side."""
        found = {}
        if self.validation:
            size = self.job.patch_size
            found[self.score] = validation_dice(network, self.data, self.validation, size)
        for side, patches in self.fixed.items():
            found |= patches.margins(network, side, self.job.settings.batch_size)
        return found

    def batch_contents(self, step: int) -> str:
        """The cases of a step's patches."""
        return f"cases {', '.join(sorted(set(self.sampler.batch(step).cases)))}"


def validation_dice(
    network: nn.Module, data: PreparedDataset, cases: Sequence[str], patch_size: Sequence[int]
) -> float:
    """Mean Dice over foreground classes and cases, on the prepared grid."""
    foreground = range(1, len(data.classes))
    scores = [
        mean_dice(
            dense_logits(network, data.image(case), patch_size).argmax(0),
            data.label(case),
            foreground,
        )
        for case in cases
    ]
    return float(np.mean(scores))
