"""nnU-Net's log into MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class MLflowLogger:
    """What nnU-Net logs, into a run of MLflow; it goes on with the one that ``folder`` names.

    Args:
        experiment: the dataset's name.
        name: of the run.
        folder: of the fold; the run's id is kept there, in ``mlflow_run_id.txt``.
        resume: whether to go on with that run.
    """

    def __init__(self, experiment: str, name: str, folder: Path, resume: bool) -> None:
        import mlflow

        self.client, file = mlflow.MlflowClient(), folder / "mlflow_run_id.txt"
        if not (resume and file.exists()):
            number = mlflow.set_experiment(experiment).experiment_id
            file.write_text(self.client.create_run(number, run_name=name).info.run_id)
        self.run_id = file.read_text()
        self.client.update_run(self.run_id, status="RUNNING")

    def update_config(self, config: dict[str, Any]) -> None:
        """Log parameters."""
        for key, value in config.items():
            self.client.log_param(self.run_id, key, value)

    def log(self, key: str, value: Any, step: int) -> None:
        """Log a value of an epoch."""
        self.client.log_metric(self.run_id, key, float(value), step=step)

    def log_summary(self, key: str, value: Any) -> None:
        """Log a value of the whole training."""
        self.client.log_metric(self.run_id, key, float(value))
