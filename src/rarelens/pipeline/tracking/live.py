"""A run that training logs as it goes. If MLflow fails, training goes on and says so once.

That a training ran on this machine is noted in a local marker, for DVC may restore it instead.
Markers are no outputs: git and DVC ignore them, and they outlive MLflow's database.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.files import write_text

EXECUTED = Path(".rarelens/executed")


class LiveRun:
    """Logs one cell's training to MLflow.

    Args:
        tags: further tags: git commit, dataset digest.
        cases: ids of the training cases, logged only if ``RARELENS_MLFLOW_CASE_IDS`` is "1".
    """

    def __init__(self, tags: dict[str, str], cases: Sequence[str]) -> None:
        self.tags = dict(tags)
        if os.environ.get("RARELENS_MLFLOW_CASE_IDS") == "1":
            self.tags["training_cases"] = ",".join(cases)
        self._client: Any = None
        self._lock: Any = None
        self._monitor: Any = None
        self._identity = ""
        self._run = ""
        self._logged: Mapping[str, set[int]] = {}

    def start(self, cell: Cell, identity: str, parameters: dict[str, Any]) -> None:
        """Open the run; a resumed training takes its own up again."""
        self._identity = identity
        self._client = True  # Anything but None: not yet given up.
        # Whatever ends the process before `end` is called, short of SIGKILL.
        atexit.register(self._left)
        self._attempt(lambda: self._open(cell, identity, parameters))

    def epoch(self, row: dict[str, float]) -> None:
        """Log an epoch's row of the history at its step, if an earlier try has not done so."""
        self._attempt(lambda: self._log(row))

    def end(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Close the run, and note on this machine that the training ran here."""
        atexit.unregister(self._left)
        if status == "FINISHED" and self._identity:
            mark_executed(self._identity)
        self._stop(lambda: self._close(status))

    def _left(self) -> None:
        self._stop(lambda: self._close("FAILED"))

    def _stop(self, close: Callable[[], None]) -> None:
        """Close the run, if there is one; then it is no longer running."""
        if self._monitor is not None:
            self._monitor.finish()
        if self._run:
            self._attempt(close)
        if self._lock is not None:
            from rarelens.pipeline.tracking.running import let_go

            let_go(self._lock)

    def _open(self, cell: Cell, identity: str, parameters: dict[str, Any]) -> None:
        # Imported here, for it takes seconds and only training needs it.
        from rarelens.pipeline.tracking.client import connect
        from rarelens.pipeline.tracking.machine import watch
        from rarelens.pipeline.tracking.running import hold
        from rarelens.pipeline.tracking.runs import find_cell_run

        # Before MLflow says that it runs.
        self._lock = hold(identity)
        self._client, experiment = connect()
        self._run, self._logged = find_cell_run(
            self._client, experiment, cell, identity, self.tags, parameters
        )
        self._monitor = watch(self._run, self._client.tracking_uri)

    def _log(self, row: dict[str, float]) -> None:
        from rarelens.pipeline.tracking.runs import log_epochs

        log_epochs(self._client, self._run, [row], self._logged)

    def _close(self, status: str) -> None:
        from rarelens.pipeline.tracking import names
        from rarelens.pipeline.tracking.runs import log_tags

        if status == "FINISHED":
            # A sync meanwhile took the run for another's, for the lock did not know it yet.
            tags = {names.ORIGIN: names.EXECUTED, names.STALE: "false"}
            log_tags(self._client, self._run, tags)
        self._client.set_terminated(self._run, status)

    def _attempt(self, action: Callable[[], None]) -> None:
        if self._client is None:
            return
        try:
            action()
        except Exception as error:
            self._client = None
            warn_not_logged(error)


def mark_executed(identity: str) -> None:
    """Note that the training with this identity ran here to its end."""
    write_text(EXECUTED / identity, "")


def was_executed(identity: str) -> bool:
    """Whether the training with this identity ran here to its end."""
    return (EXECUTED / identity).is_file()


def warn_not_logged(error: Exception) -> None:
    """Say on standard error that something was not logged, why, and how to mend it."""
    if isinstance(error, RarelensError):
        for problem in error.problems:
            print(f"warning: MLflow is not up to date: {problem}", file=sys.stderr)
        return
    reason = " ".join(str(error).split())[:200]
    print(
        f"warning: MLflow does not answer, so not everything is logged (`rarelens sync` adds it "
        f"later): {reason}",
        file=sys.stderr,
    )
