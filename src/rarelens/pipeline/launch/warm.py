"""A server that has imported the heavy libraries, and forks for each stage.

Stages import torch, MONAI and MLflow for two to five seconds of a core, and there are hundreds.
Nothing of rarelens is imported before the fork: code that is edited while a launch runs is seen,
and checked against its fingerprints, as ever. The server is this file, run as a script.
"""

from __future__ import annotations

import gc
import importlib
import os
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# What stages import of other packages.
LIBRARIES = """
accelerate altair h5py jinja2 matplotlib.pyplot mlflow mlflow.tracking monai.inferers monai.losses
monai.metrics monai.networks.nets nibabel numpy pandas pandera.backends.pandas.builtin_checks
pandera.pandas PIL.Image pyarrow.parquet pycocotools.mask pydantic rich.progress ruamel.yaml
safetensors.torch scipy.ndimage scipy.optimize scipy.sparse.csgraph scipy.stats seaborn
sklearn.linear_model torch
"""
WORTH = 3  # The stage that starts the server: for fewer it would cost more than it saves.
PAUSE = 0.05  # Seconds between looks at what ended.


class Warm:
    """The server; until it is ready, and where it cannot help, stages start as they do without.

    Args:
        libraries: that it imports.
    """

    def __init__(self, libraries: str = LIBRARIES) -> None:
        self._libraries = libraries
        self._asked = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._link: Connection[Any, Any] | None = None
        self._started: int | None = None  # 0 when the server is ready, then the last process.
        self.ended: dict[int, int] = {}

    def start(
        self, command: str, folder: str, environment: Mapping[str, str], log: Path
    ) -> Forked | None:
        """Run a script of this Python in a session of its own.

        Args:
            command: ``python <script> <arguments>``.
            folder: that it runs in.
            environment: of its own.
            log: where its output goes.

        Returns:
            The process; nothing if the command is another, or while the server is not ready.
        """
        words = shlex.split(command)
        python = shutil.which("python", path=environment.get("PATH"))
        if not command.startswith("python ") or not words[1].endswith(".py"):
            return None
        if shlex.join(words) != command:  # Work for a shell.
            return None
        if not python or Path(python).parent != Path(sys.executable).parent:
            return None
        self._asked += 1
        if self._asked == WORTH:
            self._serve()
        self.look()
        if self._link is None or self._started is None:
            return None
        self._started = None
        with suppress(OSError):
            self._link.send((words[1:], folder, dict(environment), str(log)))
        while self._link and self._started is None:
            self.look(PAUSE)
        return Forked(self, self._started) if self._started else None

    def look(self, seconds: float = 0) -> bool:
        """Take in what started and ended, and wait for it; whether the server is there."""
        try:
            while self._link and self._link.poll(seconds):
                process, status = self._link.recv()
                if status is None:
                    self._started = process
                else:
                    self.ended[process] = status
        except (EOFError, OSError):
            self._link = None
        return self._link is not None

    def stop(self) -> None:
        """End the server; what it started goes on."""
        if self._link is not None and self._server is not None:
            self._link.close()
            self._server.wait()
            self._link = None

    def _serve(self) -> None:
        self._link, theirs = Pipe()
        number = theirs.fileno()
        self._server = subprocess.Popen(
            [sys.executable, "-P", __file__, str(number), self._libraries],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[number],
            start_new_session=True,
        )
        theirs.close()


class Forked:
    """A process of the server's, asked as a `subprocess.Popen` is."""

    def __init__(self, warm: Warm, pid: int) -> None:
        self._warm, self.pid = warm, pid

    def poll(self) -> int | None:
        """Its exit status; nothing while it runs. Without its server it is killed."""
        if not self._warm.look() and self.pid not in self._warm.ended:
            self._warm.ended[self.pid] = -signal.SIGKILL
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._warm.ended.get(self.pid)

    def wait(self, timeout: float = float("inf")) -> int:
        """Its exit status, once it has ended.

        Raises:
            TimeoutExpired: if it has not after that many seconds.
        """
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(PAUSE)
        return status


def _serve(link: Connection[Any, Any], libraries: str) -> str:
    """Fork for each command that comes, until the other side is gone; in the fork, its script."""
    for name in libraries.split():
        importlib.import_module(name)
    gc.freeze()
    link.send((0, None))
    running: set[int] = set()
    while True:
        try:
            asked = link.recv() if link.poll(PAUSE) else None
        except EOFError:
            sys.exit()
        if asked is not None:
            process = os.fork()
            if process == 0:
                link.close()
                return _become(*asked)
            running.add(process)
            link.send((process, None))
        while running and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            running.remove(ended[0])
            link.send((ended[0], os.waitstatus_to_exitcode(ended[1])))


def _become(words: list[str], folder: str, environment: dict[str, str], log: str) -> str:
    """Be a process of these arguments; returns the script that it runs."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    sys.path.insert(0, str(Path(words[0]).parent.resolve()))
    return words[0]


if __name__ == "__main__":
    script = _serve(Connection(int(sys.argv[1])), sys.argv[2])
    runpy.run_path(script, run_name="__main__")
