"""What a launch shows: one live table in a terminal, else a line for each stage that ended."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rarelens.pipeline.lineage.plan.stages import Durations, cell_of, kind_of, label_of

if TYPE_CHECKING:
    from dvc.stage import PipelineStage


class Screen:
    """Of a launch of ``stages`` at so many ``places``; use as a context."""

    def __init__(self, root: Path, stages: Sequence[PipelineStage], places: int) -> None:
        self._stages, self._places = stages, places
        self._before = Durations(root, stages)
        self._seconds: dict[str, list[float]] = defaultdict(list)  # Of this launch, by kind.
        self._fates: dict[PipelineStage, str] = {}
        self._begun: dict[PipelineStage, float] = {}
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def begun(self, stage: PipelineStage, fate: str) -> None:
        """A stage runs, or needs no run: `Ledger.begin`."""
        if fate == "run":
            self._begun[stage] = time.monotonic()
            return
        self._fates[stage] = fate
        if fate == "restored":
            self.line(f"{_name(stage)}: restored from the cache")

    def ended(self, stage: PipelineStage) -> None:
        """A stage's command succeeded."""
        seconds = time.monotonic() - self._begun.pop(stage)
        self._seconds[kind_of(stage)].append(seconds)
        self._fates[stage] = "ran"
        self.line(f"{_name(stage)}: {seconds:.0f} s ({len(self._fates)}/{len(self._stages)})")

    def failed(self, stage: PipelineStage, sentence: str, skipped: int) -> None:
        """A stage failed, and ``skipped`` others cannot run."""
        self._begun.pop(stage, None)
        self._fates[stage] = "failed"
        self.line(f"{sentence}\n  {skipped} stages after it are left out; the others go on")

    def unchanged(self) -> None:
        """Say so where nothing had to run or to be restored: silence could mean anything."""
        if all(self._fates.get(each) not in {"ran", "restored", "failed"} for each in self._stages):
            self.line(f"nothing to run: {len(self._stages)} stages are up to date")

    def show(self) -> None:
        """Draw the table anew."""
        if self._console.is_terminal:
            self._live.update(self._table(), refresh=True)

    def left(self) -> float:
        """Seconds until the end, if what is not known to be up to date runs."""
        now = time.monotonic()
        waiting = [each for each in self._stages if each not in self._fates]
        needed = sum(
            max(0.0, self._expected(each) - now + self._begun.get(each, now)) for each in waiting
        )
        return needed / min(self._places, max(1, len(waiting)))

    def _expected(self, stage: PipelineStage) -> float:
        own = self._seconds.get(kind_of(stage))
        return fmean(own) if own else self._before.of(stage) or 0.0

    def _table(self) -> Table:
        counts = Counter(self._fates.values())
        done = ", ".join(f"{number} {fate}" for fate, number in counts.items()) or "nothing yet"
        table = Table(
            title=f"{len(self._fates)} of {len(self._stages)} stages done ({done}), "
            f"about {_minutes(self.left())} left",
            title_justify="left",
        )
        for heading in ("stage", "cell", "for", "left"):
            table.add_column(heading, justify="left" if heading in ("stage", "cell") else "right")
        now = time.monotonic()
        for stage, begun in self._begun.items():
            expected = self._expected(stage)
            left = _minutes(max(0.0, expected - now + begun)) if expected else "?"
            table.add_row(label_of(stage), cell_of(stage), _minutes(now - begun), left)
        return table

    def line(self, text: str) -> None:
        """Say something, above the table."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()


def _name(stage: PipelineStage) -> str:
    return f"{label_of(stage)} {cell_of(stage)}".strip()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
