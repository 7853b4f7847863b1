"""The training loop, on Accelerate: device, mixed precision, clipping, checkpoint state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor, nn

from rarelens.data.patches import Batch, PatchSampler
from rarelens.data.prepared import PreparedDataset
from rarelens.errors import RarelensError
from rarelens.model import build_network
from rarelens.training.builders import build_objective, build_optimiser, build_schedule
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
        RarelensError: if the loss stops being finite, or parameters do not fit together.
    """
    settings = job.settings
    validation = data.subjects("validation")
    if not validation and (settings.select == "best" or settings.patience is not None):
        raise RarelensError(
            f"train.segmentation: select 'best' and patience need validation cases, and "
            f"{data.name} has none; set select: last and patience: null, or split.validation"
        )
    accelerator = _accelerator(job)
    network = build_network(job.network, len(data.channels), len(data.classes))
    sampler, objective = _feed(job, data)
    optimiser = build_optimiser(network, settings)
    network, optimiser, schedule = accelerator.prepare(
        network, optimiser, build_schedule(optimiser, settings)
    )
    objective.to(accelerator.device)
    progress = Progress()
    accelerator.register_for_checkpointing(progress)
    checkpoints.resume(accelerator)
    resumed, begun = progress.step, time.perf_counter()

    with _bar(job, progress) as show:
        while progress.step < settings.steps and not progress.stagnant(settings.patience):
            until = min(progress.step + settings.epoch_steps, settings.steps)
            losses = []
            network.train()
            while progress.step < until:
                batch = sampler.batch(progress.step)
                loss = _step(accelerator, network, objective, optimiser, schedule, batch, settings)
                progress.step += 1
                progress.gradient_evaluations += 1
                if not torch.isfinite(loss):
                    raise _not_finite(job, progress.step, batch)
                losses.append(loss.item())
                show(progress.step, losses[-1])
            row: Row = {
                "step": progress.step,
                "loss": sum(losses) / len(losses),
                "learning_rate": schedule.get_last_lr()[0],
            }
            plain = accelerator.unwrap_model(network)
            if validation:
                row["validation_dice"] = validation_dice(plain, data, validation, job.patch_size)
            progress.record(row, plain.state_dict() if settings.select == "best" else None)
            on_epoch(row)
            if len(progress.history) % settings.checkpoint_epochs == 0:
                checkpoints.save(accelerator)

    seconds = time.perf_counter() - begun
    last = settings.select == "last"
    return Trained(
        weights=accelerator.unwrap_model(network).state_dict() if last else progress.best_weights,
        selected_step=progress.step if last else progress.best_step,
        progress=progress,
        steps_per_second=(progress.step - resumed) / seconds,
        device=str(accelerator.device),
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


def _feed(job: Job, data: PreparedDataset) -> tuple[PatchSampler, nn.Module]:
    """Patches of the training subset, and the objective that knows its class counts."""
    cases = job.training_cases(data)
    counts = data.table.loc[cases, "voxels"].tolist()
    objective = build_objective(
        job.cell.method,
        job.method,
        [sum(per_class) for per_class in zip(*counts, strict=True)],
        job.rare(data),
    )
    settings = job.settings
    sampler = PatchSampler(
        data, cases, job.patch_size, settings.batch_size, job.foreground_share, job.cell.seed
    )
    return sampler, objective


def _step(  # type: ignore[no-untyped-def]
    accelerator: Accelerator, network, objective, optimiser, schedule, batch: Batch, settings
) -> Tensor:
    """One optimiser step; returns the loss before it."""
    images = torch.from_numpy(batch.images).to(
        accelerator.device, memory_format=torch.channels_last_3d
    )
    labels = torch.from_numpy(batch.labels).to(accelerator.device)
    loss: Tensor = objective(network(images), labels)
    optimiser.zero_grad()
    accelerator.backward(loss)
    if settings.gradient_clip is not None:
        accelerator.clip_grad_norm_(network.parameters(), settings.gradient_clip)
    optimiser.step()
    schedule.step()
    return loss.detach()


def _not_finite(job: Job, step: int, batch: Batch) -> RarelensError:
    cases = ", ".join(sorted(set(batch.cases)))
    return RarelensError(
        f"{job.cell.name}: the loss is not finite at step {step} (cases {cases}); lower "
        f"train.segmentation.learning_rate, set gradient_clip, or look at these images"
    )


@contextmanager
def _bar(job: Job, progress: Progress) -> Iterator[Callable[[int, float], None]]:
    """A progress bar with loss and throughput, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TextColumn("{task.fields[rate]:.1f} patches/s"),
        TimeRemainingColumn(),
    )
    start, begun = progress.step, time.perf_counter()
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(job.cell.name, total=job.settings.steps, loss=float("nan"), rate=0.0)

        def show(step: int, loss: float) -> None:
            rate = (step - start) * job.settings.batch_size / (time.perf_counter() - begun)
            bar.update(task, completed=step, loss=loss, rate=rate)

        yield show
