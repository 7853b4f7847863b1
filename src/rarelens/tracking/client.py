"""The MLflow client and the names that all runs share.

Settings are environment variables, for they change no result: ``MLFLOW_TRACKING_URI`` (by
default ``sqlite:///mlflow.db``), ``MLFLOW_EXPERIMENT_NAME`` (by default "rarelens"), and
``RARELENS_MLFLOW_CASE_IDS=1`` to let case ids into MLflow.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

# Before MLflow is imported: what is trained here is nobody else's business.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from rarelens.cells import Cell

CELL, IDENTITY, STALE = "rarelens.cell", "rarelens.identity", "rarelens.stale"
METRICS = {"loss": "train/loss", "learning_rate": "train/learning_rate"}
METRICS |= {
    "validation_dice": "validation/dice",
    "validation_average_precision": "validation/average_precision",
}
# In a part of a name; a slash joins parts, and one of dots alone would lead elsewhere.
_FORBIDDEN = re.compile(r"[^\w.\- ]|^\.*$")
# A server that is away is given up on in seconds, not in MLflow's minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")


def connect() -> tuple[MlflowClient, str]:
    """The client and the experiment's id, which is made where it does not exist."""
    client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db"))
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "rarelens")
    found = client.get_experiment_by_name(name)
    return client, found.experiment_id if found else client.create_experiment(name)


def find_run(client: MlflowClient, experiment: str, cell: Cell, identity: str) -> Run | None:
    """The run of this cell and identity, if there is one."""
    runs = client.search_runs(
        [experiment],
        f"tags.`{IDENTITY}` = '{identity}' and tags.`{CELL}` = '{cell.task}/{cell.name}'",
        max_results=1,
    )
    return runs[0] if runs else None


def create_run(
    client: MlflowClient, experiment: str, cell: Cell, identity: str, extra: Mapping[str, str]
) -> str:
    """A new run, named after its cell and tagged by each of its dimensions; returns its id."""
    name = f"{cell.method} · {cell.dataset} · {cell.network} · {cell.fraction} · seed {cell.seed}"
    tags = {
        CELL: f"{cell.task}/{cell.name}",
        IDENTITY: identity,
        **{key: str(value) for key, value in vars(cell).items()},
        **extra,
    }
    return str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)


def log_parameters(client: MlflowClient, run: str, parameters: Mapping[str, Any]) -> None:
    """Log nested parameters under dotted keys."""
    flat = [Param(key, str(value)) for key, value in flatten(parameters).items()]
    client.log_batch(run, params=flat)


def log_tags(client: MlflowClient, run: str, tags: Mapping[str, str]) -> None:
    """Set tags."""
    client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])


def log_epochs(client: MlflowClient, run: str, rows: Iterable[Mapping[str, float]]) -> None:
    """Log rows of the training history, each at its optimiser step."""
    now = int(time.time() * 1000)
    metrics = [
        Metric(name, row[key], now, int(row["step"]))
        for row in rows
        for key, name in METRICS.items()
        if key in row
    ]
    client.log_batch(run, metrics=metrics)


def logged_steps(client: MlflowClient, run: str) -> set[int]:
    """The optimiser steps at which the run has an epoch's row already."""
    return {metric.step for metric in client.get_metric_history(run, METRICS["loss"])}


def flatten(nested: Mapping[str, Any], separator: str = ".", prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, their keys joined to names that MLflow allows."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = prefix + _FORBIDDEN.sub("_", key)
        if isinstance(value, Mapping):
            flat |= flatten(value, separator, name + separator)
        else:
            flat[name] = value
    return flat
