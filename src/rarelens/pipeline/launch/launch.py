"""Run what ``dvc repro`` would run, several stages at once.

A stage starts when those before it are done; of several, the first in the order of ``dvc repro``.
One that fails stops what depends on it and nothing else.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rarelens.errors import RarelensError
from rarelens.pipeline.launch.first_look import FirstLook
from rarelens.pipeline.launch.ledger import Ledger
from rarelens.pipeline.launch.screen import Screen
from rarelens.pipeline.launch.signals import terminated_as_interrupted
from rarelens.pipeline.launch.slots import NOTHING, Slot, dealt, gpus, last_lines, log_of
from rarelens.pipeline.launch.warm import Warm
from rarelens.pipeline.lineage.repro import parsed_once

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

PAUSE = 0.1  # Seconds between looks at what runs.
WRITE_EVERY = 20.0  # Seconds between writings of the locks, or more, for the larger they are the
WRITING = 1 / 20  # longer it takes: they have this share of the time at most.


@parsed_once()
def launch(
    root: Path,
    places: int,
    targets: Sequence[str] = (),
    through: Mapping[str, Sequence[str]] = NOTHING,
    retries: int = 0,
) -> None:
    """Bring the project in the folder ``root`` up to date.

    Args:
        root: of the project.
        places: stages at once.
        targets: as of ``dvc repro``.
        through: by the name of stages (``train``), or ``""`` for all others, a command that is
            given a stage's command to run it elsewhere (``srun``). Stages without one run here,
            and the GPUs here are dealt to the places.
        retries: how often a stage that fails is tried again: machines are lost.

    Raises:
        RarelensError: if a stage failed, once all that do not depend on it are done.
        KeyboardInterrupt: on Ctrl-C or SIGTERM, when what ran has stopped and is undone.
    """
    ledger = Ledger(root, targets)
    _check(through, ledger)
    devices = gpus()
    # What asked for the GPUs while it was imported must not fork.
    warm = None if devices else Warm()
    slots = [Slot(root, dealt(devices, place, places), through, warm) for place in range(places)]
    with terminated_as_interrupted(), Screen(root, ledger.stages, places) as screen:
        run = _Run(root, ledger, slots, screen, retries)
        try:
            run.all()
            screen.unchanged()
        finally:
            run.stop()
            if warm:
                warm.stop()
    run.report()


def _check(through: Mapping[str, Sequence[str]], ledger: Ledger) -> None:
    unknown = set(through) - {""} - ledger.names
    if unknown:
        raise RarelensError(
            f"--through {', '.join(sorted(unknown))}=…: no such stage; "
            f"there are {', '.join(sorted(ledger.names))}"
        )
    for command in through.values():
        if not shutil.which(command[0]):
            raise RarelensError(f"{command[0]}: no such command to run stages through")


class _Run:
    def __init__(
        self, root: Path, ledger: Ledger, slots: list[Slot], screen: Screen, retries: int
    ) -> None:
        self._root, self._ledger, self._slots, self._screen = root, ledger, slots, screen
        self._retries = dict.fromkeys(ledger.stages, retries)
        self._look = FirstLook(root)
        self._waiting = list(ledger.stages)
        self._done: set[PipelineStage] = set()
        self._failed: dict[PipelineStage, str] = {}
        self._skipped: set[PipelineStage] = set()

    def all(self) -> None:
        """Until nothing waits and nothing runs."""
        written, pause = time.monotonic(), WRITE_EVERY
        while self._waiting or self._busy():
            self._start()
            for slot in self._busy():
                status = slot.poll()
                if status is not None:
                    self._end(slot, status)
            begun = time.monotonic()
            if begun - written > pause:
                self._ledger.write()
                written = time.monotonic()
                pause = max(WRITE_EVERY, (written - begun) / WRITING)
            if news := self._look.news():
                self._screen.line(news)
            self._screen.show()
            time.sleep(PAUSE if self._busy() else 0)
        if news := self._look.last():
            self._screen.line(news)

    def stop(self) -> None:
        """Interrupt what runs, and write down what is done."""
        self._look.stop()
        for slot in self._busy():
            slot.stop()
            self._ledger.end(slot.free(), succeeded=False)
        self._ledger.write(all_of_them=True)
        self._ledger.close()

    def report(self) -> None:
        """Raise what failed; the screen has shown more lines of each.

        Raises:
            RarelensError: a sentence a stage, with the last thing that it said.
        """
        if not self._failed:
            return
        failures = [sentence.splitlines() for sentence in self._failed.values()]
        problems = [
            " ".join([first, *(line.strip() for line in rest[-1:])]) for first, *rest in failures
        ]
        if self._skipped:
            problems.append(f"{len(self._skipped)} stages that depend on them did not run")
        raise RarelensError(*problems, "all else is done; run again once this is mended")

    def _busy(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.stage is not None]

    def _start(self) -> None:
        """Give free slots to stages that are ready; what needs no slot is passed at once."""
        for stage in list(self._waiting):
            free = next((slot for slot in self._slots if slot.stage is None), None)
            if free is None:
                return
            if not self._ledger.before(stage) <= self._done:
                continue
            self._waiting.remove(stage)
            try:
                fate = self._ledger.begin(stage)
            except RarelensError as error:
                self._fail(stage, str(error))
                continue
            self._screen.begun(stage, fate)
            if fate == "run":
                free.start(stage)
            else:
                self._done.add(stage)

    def _end(self, slot: Slot, status: int) -> None:
        stage = slot.free()
        problem = self._what_it_said(stage, status) if status else ""
        try:
            self._ledger.end(stage, succeeded=not problem)
        except RarelensError as error:  # An output may be missing: srun loses a node in silence.
            problem = f"{stage.addressing}: {error}"
        if not problem:
            self._done.add(stage)
            self._screen.ended(stage)
            self._look.ended(stage)
        elif self._retries[stage]:
            self._retries[stage] -= 1
            self._waiting.insert(0, stage)
        else:
            self._fail(stage, problem)

    def _what_it_said(self, stage: PipelineStage, status: int) -> str:
        lines = last_lines(self._root, stage) or [f"exit status {status}"]
        log = log_of(self._root, stage).relative_to(self._root)
        return f"{stage.addressing} failed ({log}):\n  " + "\n  ".join(lines)

    def _fail(self, stage: PipelineStage, sentence: str) -> None:
        self._failed[stage] = sentence
        after = self._ledger.after(stage) & set(self._waiting)
        self._skipped |= after
        self._waiting = [each for each in self._waiting if each not in after]
        self._screen.failed(stage, sentence, len(after))
