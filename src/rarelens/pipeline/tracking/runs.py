"""Look up, make and fill runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from rarelens.pipeline.tracking.client import exclusive
from rarelens.pipeline.tracking.names import (
    CELL,
    IDENTITY,
    NAME,
    PARENT,
    STALE,
    STATE,
    STUDY,
    USER,
    cell_tags,
    epoch_metric,
    is_epoch_metric,
    plain_parameters,
    user,
)
from rarelens.studies.cells import Cell

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


def tagged(tags: Mapping[str, str]) -> str:
    """A query for runs with these tags."""
    return " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())


def find_study_run(client: MlflowClient, experiment: str, task: str) -> str:
    """The id of the run that holds all cells of a task; made where there is none."""
    with exclusive():
        # The oldest, so that all who look agree.
        for run in list_runs(client, experiment, tagged({STUDY: task})):
            return str(run.info.run_id)
        name, tags = f"{task.capitalize()} study", {STUDY: task, STALE: "false", USER: user()}
        run_id = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
        # It holds runs, and is none itself that could be killed.
        client.set_terminated(run_id, "FINISHED")
        return run_id


def find_cell_run(
    client: MlflowClient,
    experiment: str,
    cell: Cell,
    identity: str,
    tags: Mapping[str, str],
    parameters: Mapping[str, Any],
) -> tuple[str, dict[str, set[int]]]:
    """The run of a training that begins or goes on, found or made: its id, and `logged_steps`.

    ``dataset_digest`` must be among ``tags``.
    """
    wanted = {**cell_tags(cell, identity), **tags, STALE: "false", USER: user()}
    wanted[PARENT] = find_study_run(client, experiment, cell.task)
    query = tagged({IDENTITY: identity, CELL: wanted[CELL]})
    for run in list_runs(client, experiment, query):
        client.update_run(run.info.run_id, "RUNNING")
        log_tags(client, run.info.run_id, wanted)
        return str(run.info.run_id), logged_steps(client, run)
    created = client.create_run(experiment, run_name=wanted[NAME], tags=wanted)
    run_id = str(created.info.run_id)
    log_parameters(client, run_id, plain_parameters(parameters))
    log_datasets(client, run_id, {cell.dataset: tags["dataset_digest"]})
    return run_id, {}


def refresh(client: MlflowClient, run: Run, state: str, tags: Mapping[str, str]) -> bool:
    """Whether a run was brought up to date with this state already; then only its tags are set."""
    if run.data.tags.get(STATE) != state or run.info.status != "FINISHED":
        return False
    changed = {key: tags[key] for key in tags if run.data.tags.get(key) != tags[key]}
    log_tags(client, run.info.run_id, changed)
    return True


def finish(client: MlflowClient, run: Run, state: str, tags: Mapping[str, str]) -> None:
    """Last of all, so that a run which says it is up to date is: set tags and state, close it."""
    log_tags(client, run.info.run_id, {**tags, STATE: state})
    if run.info.status != "FINISHED":
        client.set_terminated(run.info.run_id, "FINISHED")


def log_parameters(client: MlflowClient, run: str, parameters: Mapping[str, str]) -> None:
    """Log parameters; MLflow refuses another value of one that stands already."""
    for part in _batches([Param(key, value) for key, value in parameters.items()], 100):
        client.log_batch(run, params=part)


def log_tags(client: MlflowClient, run: str, tags: Mapping[str, str]) -> None:
    """Set tags."""
    for part in _batches([RunTag(key, value) for key, value in tags.items()], 100):
        client.log_batch(run, tags=part)


def log_measures(client: MlflowClient, run: str, measures: Mapping[str, float], **of: str) -> None:
    """Log measures that have no step; ``of`` a model and dataset, as `Metric` has them."""
    now = milliseconds()
    points = [Metric(key, value, now, 0, **of) for key, value in measures.items()]
    for part in _batches(points, 1000):
        client.log_batch(run, metrics=part)


def log_epochs(
    client: MlflowClient, run: str, rows: Iterable[Row], known: Mapping[str, set[int]]
) -> None:
    """Log rows of the training history, each at its optimiser step.

    Values that are missing, no number, or ``known`` (`logged_steps`) are left out.
    """
    now = milliseconds()
    points = [
        # As many digits as history.csv keeps, so that a run can be rebuilt from it.
        Metric(name, float(f"{value:.9g}"), now, int(row["step"]))
        for row in rows
        for key, value in row.items()
        if (name := epoch_metric(key))
        and isfinite(value)
        and int(row["step"]) not in known.get(name, ())
    ]
    for part in _batches(points, 1000):
        client.log_batch(run, metrics=part)


def logged_steps(client: MlflowClient, run: Run) -> dict[str, set[int]]:
    """The optimiser steps at which the run has an epoch's metrics already, by their names."""
    names = [name for name in run.data.metrics if is_epoch_metric(name)]
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
