"""A run that training logs as it goes. If MLflow fails, training goes on and says so once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

from rarelens.cells import Cell
from rarelens.tracking.warning import warn_unlogged


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
        self._run = ""
        self._logged: set[int] = set()

    def start(self, cell: Cell, identity: str, parameters: dict[str, Any]) -> None:
        """Open the run; a resumed training takes its own up again."""
        self._client = True  # Anything but None: not yet given up.
        self._attempt(lambda: self._open(cell, identity, parameters))

    def epoch(self, row: dict[str, float]) -> None:
        """Log an epoch's row of the history at its step, if an earlier try has not done so."""
        if int(row["step"]) not in self._logged:
            self._attempt(lambda: self._log(row))

    def end(self, status: Literal["FINISHED", "FAILED"]) -> None:
        """Close the run."""
        self._attempt(lambda: self._client.set_terminated(self._run, status))

    def _open(self, cell: Cell, identity: str, parameters: dict[str, Any]) -> None:
        # Imported here, for it takes seconds and only training needs it.
        from rarelens.tracking import client as mlflow

        self._client, experiment = mlflow.connect()
        found = mlflow.find_run(self._client, experiment, cell, identity)
        if found:
            self._run = found.info.run_id
            self._client.update_run(self._run, "RUNNING")
            self._logged = mlflow.logged_steps(self._client, self._run)
            return
        self._run = mlflow.create_run(self._client, experiment, cell, identity, self.tags)
        mlflow.log_parameters(self._client, self._run, parameters)

    def _log(self, row: dict[str, float]) -> None:
        from rarelens.tracking.client import log_epochs

        log_epochs(self._client, self._run, [row])

    def _attempt(self, action: Callable[[], None]) -> None:
        if self._client is None:
            return
        try:
            action()
        except Exception as error:
            self._client = None
            warn_unlogged(error)
