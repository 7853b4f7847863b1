"""The training loop, on Accelerate: device, mixed precision, clipping, checkpoint state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor

from rarelens.data.patches import Batch, PatchSampler
from rarelens.data.prepared import PreparedDataset
from rarelens.errors import RarelensError
from rarelens.model import build_network, training_patch
from rarelens.training.bar import Bar
from rarelens.training.builders import build_optimiser, build_schedule, build_terms
from rarelens.training.checkpoints import Checkpoints
from rarelens.training.job import Job
from rarelens.training.progress import Progress, Row
from rarelens.training.validation import validation_dice


@dataclass(frozen=True)
class Trained:
    """The weights that were selected, how the training went, and its speed in this process."""

    weights: dict[str, Tensor]
    selected_step: int
    progress: Progress
    steps_per_second: float
    device: str


def train(
    job: Job, data: PreparedDataset, checkpoints: Checkpoints, on_epoch: Callable[[Row], None]
) -> Trained:
    """Train one cell, from its last checkpoint where it has one.

    Args:
        job: its parameters.
        data: the prepared dataset.
        checkpoints: where to resume from and save to.
        on_epoch: called with each new row of the history.

    Raises:
        RarelensError: if the loss or its gradient stops being finite, or parameters do not fit
            together.
    """
    trainer = _Trainer(job, data)
    progress = trainer.progress
    checkpoints.resume(trainer.accelerator)
    resumed, begun = progress.step, time.perf_counter()
    with Bar(job.cell.name, trainer.steps, job.settings.batch_size, resumed) as bar:
        while progress.step < trainer.steps and not progress.stagnant(job.settings.patience):
            on_epoch(trainer.epoch(bar))
            if len(progress.history) % job.settings.checkpoint_epochs == 0:
                checkpoints.save(trainer.accelerator)
    last = job.settings.select == "last"
    return Trained(
        weights=trainer.weights() if last else progress.best_weights,
        selected_step=progress.step if last else progress.best_step,
        progress=progress,
        steps_per_second=(progress.step - resumed) / (time.perf_counter() - begun),
        device=str(trainer.accelerator.device),
    )


class _Trainer:
    """Everything that a training holds, and its epoch and step."""

    def __init__(self, job: Job, data: PreparedDataset) -> None:
        self.job, self.data = job, data
        self.validation = data.subjects("validation")
        _check_selection(job, data)
        self.accelerator = _accelerator(job)
        network = build_network(job.network, len(data.channels), len(data.classes))
        cases = job.training_cases(data)
        self.context = int(getattr(network, "context", 0))
        self.sampler = PatchSampler(
            data,
            cases,
            training_patch(network, job.patch_size)[0],
            job.settings.batch_size,
            job.foreground_share,
            job.cell.seed,
            self.context,
        )
        counts = np.sum(np.stack(data.table.loc[cases, "voxels"].tolist()), axis=0).tolist()
        self.terms = build_terms(job.cell.method, job.method, counts, job.rare(data))
        self.terms.to(self.accelerator.device)
        self.steps = job.settings.steps
        if job.settings.budget == "gradient_evaluations":
            self.steps = max(1, self.steps // self.terms.gradient_evaluations)
        optimiser = build_optimiser(network, job.settings)
        self.network, self.optimiser, self.schedule = self.accelerator.prepare(
            network, optimiser, build_schedule(optimiser, job.settings, self.steps)
        )
        self.progress = Progress()
        self.accelerator.register_for_checkpointing(self.progress)

    def epoch(self, bar: Bar) -> Row:
        """Steps up to the end of the epoch, then validation; returns the history's new row."""
        progress, losses = self.progress, []
        until = min(progress.step + self.job.settings.epoch_steps, self.steps)
        self.network.train()
        while progress.step < until:
            losses.append(self._step())
            bar.show(progress.step, losses[-1])
        row: Row = {
            "step": progress.step,
            "loss": sum(losses) / len(losses),
            "learning_rate": self.schedule.get_last_lr()[0],
        }
        plain = self.accelerator.unwrap_model(self.network)
        if self.validation:
            size = self.job.patch_size
            row["validation_dice"] = validation_dice(plain, self.data, self.validation, size)
        best = self.job.settings.select == "best"
        progress.record(row, plain.state_dict() if best else None)
        return row

    def weights(self) -> dict[str, Tensor]:
        """The weights as they are."""
        state: dict[str, Tensor] = self.accelerator.unwrap_model(self.network).state_dict()
        return state

    def _step(self) -> float:
        """One step of the schedule; returns the sum of its terms."""
        batch = self.sampler.batch(self.progress.step)
        # Seeded by the step, so that a resumed training draws the same.
        rng = np.random.default_rng([self.job.cell.seed, self.progress.step, 1])
        images, labels = self._tensors(batch, rng)
        total = 0.0
        self.optimiser.zero_grad()
        for loss in self.terms.losses(self.network, images, labels, rng):
            self.accelerator.backward(loss)
            total += loss.item()
            if not np.isfinite(total):
                raise _not_finite(self.job, "loss", self.progress.step + 1, batch)
            if self.job.method.separate_steps:
                self._update(batch)
        if not self.job.method.separate_steps:
            self._update(batch)
        self.schedule.step()
        self.progress.step += 1
        self.progress.gradient_evaluations += self.terms.gradient_evaluations
        return total

    def _tensors(self, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        images, labels = self.terms.prepare(batch, rng)
        device = self.accelerator.device
        # The network gives no logits for the context.
        middle = slice(self.context, -self.context or None)
        cropped = torch.from_numpy(labels[:, middle, middle, middle]).to(device)
        form = torch.channels_last_3d
        return torch.from_numpy(images).to(device, memory_format=form), cropped

    def _update(self, batch: Batch) -> None:
        """One optimiser step from the gradients summed so far."""
        # With fp16, overflowing gradients belong to the search for a scale, and their steps are
        # left out.
        if not np.isfinite(self._clip()) and self.job.settings.precision != "fp16":
            raise _not_finite(self.job, "gradient", self.progress.step + 1, batch)
        self.optimiser.step()
        self.optimiser.zero_grad()

    def _clip(self) -> float:
        """Clip the gradients where that is set; returns their norm before it."""
        parameters, largest = self.network.parameters(), self.job.settings.gradient_clip
        if largest is not None:
            return float(self.accelerator.clip_grad_norm_(parameters, largest))
        gradients = [each.grad for each in parameters if each.grad is not None]
        return float(torch.nn.utils.get_total_norm(gradients))


def _check_selection(job: Job, data: PreparedDataset) -> None:
    chosen = job.settings.select == "best" or job.settings.patience is not None
    if chosen and not data.subjects("validation"):
        raise RarelensError(
            f"train.segmentation: select 'best' and patience need validation cases, and "
            f"{data.name} has none; set select: last and patience: null, or split.validation"
        )


def _accelerator(job: Job) -> Accelerator:
    """Fix threads, seeds and algorithms, then choose the device."""
    if job.settings.precision == "fp16" and not torch.cuda.is_available():
        raise RarelensError(
            "train.segmentation.precision: fp16 needs a GPU, and there is none; use bf16 or no"
        )
    torch.set_num_threads(job.settings.threads)
    # Some 3-D operations have no deterministic CUDA form: there, warn and keep to a tolerance.
    torch.use_deterministic_algorithms(mode=True, warn_only=torch.cuda.is_available())
    set_seed(job.cell.seed)
    return Accelerator(mixed_precision=job.settings.precision)


def _not_finite(job: Job, what: str, step: int, batch: Batch) -> RarelensError:
    cases = ", ".join(sorted(set(batch.cases)))
    return RarelensError(
        f"{job.cell.name}: the {what} is not finite at step {step} (cases {cases}); lower "
        f"train.segmentation.learning_rate, set gradient_clip, or look at these images"
    )
