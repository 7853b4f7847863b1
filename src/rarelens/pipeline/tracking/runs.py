"""Look up, make and fill runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite, nan
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from rarelens.pipeline.tracking.names import EPOCHS

T = TypeVar("T")
Row = Mapping[str, float]


def list_runs(client: MlflowClient, experiment: str, query: str = "") -> list[Run]:
    """All runs of the experiment, or those that ``query`` selects, the oldest first."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], query, page_token=token)
        runs += page
        token = page.token
        if not token:
            return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def select(**tags: str) -> str:
    """A query for runs with these tags; a dot in a tag's name is written ``__``."""
    return " and ".join(f"tags.`{key.replace('__', '.')}` = '{tags[key]}'" for key in tags)


def log_parameters(client: MlflowClient, run: str, parameters: Mapping[str, str]) -> None:
    """Log parameters; MLflow refuses another value of one that stands already."""
    for part in _batches([Param(key, value) for key, value in parameters.items()], 100):
        client.log_batch(run, params=part)


def log_tags(client: MlflowClient, run: str, tags: Mapping[str, str]) -> None:
    """Set tags."""
    for part in _batches([RunTag(key, value) for key, value in tags.items()], 100):
        client.log_batch(run, tags=part)


def log_measures(client: MlflowClient, run: str, measures: Mapping[str, float]) -> None:
    """Log measures that have no step."""
    now = milliseconds()
    points = [Metric(key, value, now, 0) for key, value in measures.items()]
    for part in _batches(points, 1000):
        client.log_batch(run, metrics=part)


def log_epochs(
    client: MlflowClient, run: str, rows: Iterable[Row], known: Mapping[str, set[int]]
) -> None:
    """Log rows of the training history, each at its optimiser step.

    Args:
        client: the client.
        run: the run's id.
        rows: a value may be missing or not a number; it is left out.
        known: as `logged_steps`; what is there already is not logged again.
    """
    now = milliseconds()
    points = [
        # As many digits as history.csv keeps, so that a run can be rebuilt from it.
        Metric(name, float(f"{row[key]:.9g}"), now, int(row["step"]))
        for row in rows
        for key, name in EPOCHS.items()
        if isfinite(row.get(key, nan)) and int(row["step"]) not in known.get(name, ())
    ]
    for part in _batches(points, 1000):
        client.log_batch(run, metrics=part)


def logged_steps(client: MlflowClient, run: Run) -> dict[str, set[int]]:
    """The optimiser steps at which the run has an epoch's metrics already, by their names."""
    names = [name for name in EPOCHS.values() if name in run.data.metrics]
    return {
        name: {point.step for point in client.get_metric_history(run.info.run_id, name)}
        for name in names
    }


def log_datasets(client: MlflowClient, run: str, datasets: Mapping[str, str]) -> None:
    """Say what the run was trained on: digests by name; MLflow keeps each once."""
    role = [InputTag("mlflow.data.context", "train")]
    inputs = [
        DatasetInput(
            Dataset(name, digest, "local", json.dumps({"uri": f"data/prepared/{name}"})), role
        )
        for name, digest in datasets.items()
    ]
    client.log_inputs(run, datasets=inputs)


def milliseconds() -> int:
    """Now, as MLflow counts."""
    return int(time.time() * 1000)


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    rest: Iterator[Any] = iter(items)
    while part := list(islice(rest, size)):
        yield part
