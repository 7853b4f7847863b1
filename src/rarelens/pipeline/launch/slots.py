"""Places at which commands of stages run, each with its log, and on this machine with its GPU."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rarelens.pipeline.launch.ledger import name_of
from rarelens.pipeline.launch.warm import Forked, Warm

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

LOGS = Path(".rarelens/launch")
NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})


class Slot:
    """One place of the project in the folder ``root``.

    Args:
        root: of the project.
        gpus: the numbers of its GPUs, as of ``CUDA_VISIBLE_DEVICES``, if it has any of its own.
        through: by the names of stages, as of `launch`, a command that is given the stage's.
        warm: what starts stages here without their imports, if anything does.
    """

    def __init__(
        self,
        root: Path,
        gpus: str | None = None,
        through: Mapping[str, Sequence[str]] = NOTHING,
        warm: Warm | None = None,
    ) -> None:
        self._root, self._gpus, self._through, self._warm = root, gpus, through, warm
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self.stage: PipelineStage | None = None

    def start(self, stage: PipelineStage) -> None:
        """Run a stage's command as DVC does: in its directory, told its name."""
        environment = {
            **os.environ,
            "DVC_ROOT": str(self._root),
            "DVC_STAGE": stage.addressing,
            # Threads that spin while they wait take the cores from the other stages.
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive"),
        }
        through = self._through.get(name_of(stage), self._through.get("", ()))
        if self._gpus is not None and not through:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus
        log = log_of(self._root, stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        started = None
        if self._warm and not through:
            started = self._warm.start(stage.cmd, stage.wdir, environment, log)
        command = [*through, "/bin/sh", "-c", stage.cmd]
        self._process = started or _cold(command, stage.wdir, environment, log)
        self.stage = stage

    def poll(self) -> int | None:
        """The exit status of the command that ended; nothing while it runs."""
        assert self._process is not None
        return self._process.poll()

    def free(self) -> PipelineStage:
        """Take out the stage whose command ended."""
        stage = self.stage
        assert stage is not None
        self.stage = None
        return stage

    def stop(self, seconds: float = 20) -> None:
        """End what runs here; after that many seconds, kill it."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def log_of(root: Path, stage: PipelineStage) -> Path:
    """Where the output of a stage's command stands."""
    return root / LOGS / (str(stage.addressing).replace("/", "~") + ".log")


def last_lines(root: Path, stage: PipelineStage, number: int = 5) -> list[str]:
    """The last lines that a stage's command printed."""
    try:
        text = log_of(root, stage).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-number:]


def gpus() -> Sequence[str]:
    """The numbers of the GPUs that a command started here would see, without asking torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [each for each in visible.split(",") if each.strip()]
    devices = (each.name.removeprefix("nvidia") for each in Path("/dev").glob("nvidia[0-9]*"))
    return sorted(devices, key=int)


def dealt(devices: Sequence[str], place: int, places: int) -> str | None:
    """Which GPUs a place has: all are dealt out; where there are fewer, places share them."""
    if not devices:
        return None
    return ",".join(devices[place::places]) or devices[place % len(devices)]


def _cold(
    command: Sequence[str], folder: str, environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the launcher, which passes it on.
        )
