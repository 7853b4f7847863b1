"""A progress bar with loss and throughput, on standard error."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """Shows a training; use as a context.

    Args:
        name: what is trained.
        steps: in all.
        batch_size: samples a step.
        unit: what they are, in the plural.
        resumed: steps that were taken before.
        shown: or else nothing is.
    """

    def __init__(
        self,
        name: str,
        steps: int,
        batch_size: int,
        unit: str,
        resumed: int,
        *,
        shown: bool = True,
    ) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn(f"{{task.fields[rate]:.1f}} {unit}/s"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not shown)
        self._task = self._bar.add_task(name, total=steps, loss=float("nan"), rate=0.0)
        self._batch_size, self._resumed, self._begun = batch_size, resumed, time.perf_counter()

    def show(self, step: int, loss: float) -> None:
        """Move on to ``step``."""
        samples = (step - self._resumed) * self._batch_size
        rate = samples / (time.perf_counter() - self._begun)
        self._bar.update(self._task, completed=step, loss=loss, rate=rate)

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
