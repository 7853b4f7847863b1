"""The training loop, on Accelerate: device, mixed precision, clipping, checkpoint state."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.models.storage import fix_algorithms
from rarelens.studies.settings.stages import Training
from rarelens.studies.training.bar import Bar
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.feeding import batches
from rarelens.studies.training.followers import shared
from rarelens.studies.training.job import Job
from rarelens.studies.training.optimisation import build_optimiser, build_schedule
from rarelens.studies.training.progress import Progress, Row
from rarelens.studies.training.readings import Readings
from rarelens.studies.training.sharing import Share
from rarelens.studies.training.task import Batch, Task


@dataclass(frozen=True)
class Trained:
    """The weights that were selected, how the training went, and its speed in this process."""

    weights: dict[str, Tensor]
    selected_step: int
    progress: Progress
    steps_per_second: float
    device: str


def train(
    job: Job,
    make_task: Callable[[], Task],
    checkpoints: Checkpoints,
    on_epoch: Callable[[Row], None],
) -> Trained:
    """Train one cell, from its last checkpoint where it has one.

    Args:
        job: its parameters.
        make_task: makes the task's network and losses; called once the seeds are set.
        checkpoints: where to resume from and save to.
        on_epoch: called with each new row of the history.

    Raises:
        RarelensError: if the loss or its gradient stops being finite, or parameters do not fit
            together.
    """
    settings, state = job.settings, checkpoints.resume()
    others = partial(_train, job, make_task, state, _nothing, _nothing)
    setting = f"train.{job.cell.task}.processes"
    with shared(settings.processes, others, setting) as share:
        return _train(job, make_task, state, checkpoints.save, on_epoch, share)


def _train(
    job: Job,
    make_task: Callable[[], Task],
    state: dict[str, Any] | None,
    save: Callable[[dict[str, Any]], None],
    on_epoch: Callable[[Row], None],
    share: Share,
) -> Trained:
    """One process's part of `train`, from a checkpoint's ``state``."""
    cell, settings = job.cell, job.settings
    trainer = _Trainer(cell, settings, make_task, share)
    progress, steps = trainer.progress, trainer.task.steps
    if state is not None:
        trainer.load_state_dict(state)
    resumed, begun = progress.step, time.perf_counter()
    device = trainer.accelerator.device
    feed = batches(trainer.task, range(resumed, steps), settings.workers, device)
    size, unit = settings.batch_size, trainer.task.unit
    bar = Bar(cell.name, steps, size, unit, resumed, shown=share.leads)
    with closing(feed), bar:
        while progress.step < steps and not progress.stagnant(settings.patience):
            on_epoch(trainer.epoch(feed, bar))
            if share.leads and len(progress.history) % settings.checkpoint_epochs == 0:
                save(trainer.state_dict())
    last = settings.select == "last"
    return Trained(
        weights=trainer.weights() if last else progress.best_weights,
        selected_step=progress.step if last else progress.best_step,
        progress=progress,
        steps_per_second=(progress.step - resumed) / (time.perf_counter() - begun),
        device=str(device),
    )


def _nothing(_: object) -> None:
    """The leader tells and saves."""


class _Trainer:
    """Everything that a training holds, and its epoch and step."""

    def __init__(
        self, cell: Cell, settings: Training, make_task: Callable[[], Task], share: Share
    ) -> None:
        self.cell, self.settings, self.share = cell, settings, share
        self.accelerator = _accelerator(cell, settings)
        self.task = task = make_task()
        task.to(self.accelerator.device)
        optimiser = build_optimiser(task.network, task.objective, settings)
        self.network, self.optimiser, self.schedule = self.accelerator.prepare(
            task.network, optimiser, build_schedule(optimiser, settings, task.steps)
        )
        share.split_batches_of(self.network)
        self.parameters = [*self.network.parameters(), *task.objective.parameters()]
        self.progress = Progress()
        self.readings = Readings(self.accelerator.device.type != "cuda", self._not_finite)
        self._states: dict[str, Any] = {
            "network": self.accelerator.unwrap_model(self.network),
            "objective": task.objective,
            "optimiser": self.optimiser,
            "schedule": self.schedule,
            "progress": self.progress,
        }
        if self.accelerator.scaler is not None:
            self._states["scaler"] = self.accelerator.scaler

    def state_dict(self) -> dict[str, Any]:
        """All that the training goes on from: tensors and plain values."""
        states = {name: each.state_dict() for name, each in self._states.items()}
        return {**states, "random": _random_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        for name, each in self._states.items():
            each.load_state_dict(state[name])
        _set_random_state(state["random"])

    def epoch(self, feed: Iterator[Batch], bar: Bar) -> Row:
        """Steps up to the end of the epoch, then validation; returns the history's new row."""
        progress = self.progress
        until = min(progress.step + self.settings.epoch_steps, self.task.steps)
        self.network.train()
        while progress.step < until:
            self._step(next(feed))
            bar.show(progress.step, self.readings.last)
        row: Row = {
            "step": progress.step,
            "loss": self.readings.mean_loss(),
            "learning_rate": self.schedule.get_last_lr()[0],
        }
        plain = self.accelerator.unwrap_model(self.network)
        row |= self.share.agreed(self.task.validate(plain) if self.share.leads else {})
        best = self.settings.select == "best"
        progress.record(row, row.get(self.task.score), plain.state_dict() if best else None)
        return row

    def weights(self) -> dict[str, Tensor]:
        """The weights as they are."""
        state: dict[str, Tensor] = self.accelerator.unwrap_model(self.network).state_dict()
        return state

    def _step(self, batch: Batch) -> None:
        """One step of the schedule."""
        separate = self.task.separate_steps
        self.optimiser.zero_grad()
        for loss in self.task.losses(self.network, batch):
            self.accelerator.backward(loss)
            self.readings.add("loss", self.progress.step, loss)
            if separate:
                self._update()
        if not separate:
            self._update()
        self.schedule.step()
        self.progress.step += 1
        self.progress.gradient_evaluations += self.task.gradient_evaluations

    def _update(self) -> None:
        """One optimiser step from the gradients summed so far."""
        self.share.sum_gradients(self.network.parameters())
        norm = self._clip()
        # With fp16, overflowing gradients belong to the search for a scale, and their steps are
        # left out.
        if self.settings.precision != "fp16":
            self.readings.add("gradient", self.progress.step, norm)
        self.optimiser.step()
        self.optimiser.zero_grad()

    def _clip(self) -> Tensor:
        """Clip the gradients where that is set; returns their norm before it."""
        largest = self.settings.gradient_clip
        if largest is not None:
            norm: Tensor = self.accelerator.clip_grad_norm_(self.parameters, largest)
            return norm
        gradients = [each.grad for each in self.parameters if each.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)

    def _not_finite(self, what: str, step: int) -> RarelensError:
        return RarelensError(
            f"{self.cell.name}: the {what} is not finite at step {step + 1} "
            f"({self.task.batch_contents(step)}); lower train.{self.cell.task}.learning_rate, set "
            "gradient_clip, or look at these images"
        )


def check_selection(cell: Cell, settings: Training, lacking: str | None) -> None:
    """Refuse to select or stop by a validation that there is not.

    Args:
        cell: which is trained.
        settings: of its training.
        lacking: what the validation would need and does not have; None if it has all.

    Raises:
        RarelensError: if the settings need a validation.
    """
    if lacking and (settings.select == "best" or settings.patience is not None):
        raise RarelensError(
            f"train.{cell.task}: select 'best' and patience need {lacking}, and {cell.dataset} has "
            "none; set select: last and patience: null, or split.validation"
        )


def _accelerator(cell: Cell, settings: Training) -> Accelerator:
    """Fix threads, seeds and algorithms, then choose the device."""
    if settings.precision == "fp16" and not torch.cuda.is_available():
        raise RarelensError(
            f"train.{cell.task}.precision: fp16 needs a GPU, and there is none; use bf16 or no"
        )
    tf32 = settings.precision == "tf32"
    fix_algorithms(settings.threads, tf32)
    set_seed(cell.seed)
    return Accelerator(mixed_precision="no" if tf32 else settings.precision)


def _random_state() -> dict[str, Any]:
    """Of every generator that a step may draw from."""
    numpy: Any = np.random.get_state()  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": (numpy[0], numpy[1].tolist(), *numpy[2:]),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_random_state(state: dict[str, Any]) -> None:
    name, keys, *rest = state["numpy"]
    random.setstate(state["python"])
    np.random.set_state((name, np.array(keys, np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        # Of several processes each sees but its own GPU.
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
