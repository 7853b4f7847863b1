"""Find the run of a cell or a study by what it is tagged with, or make it: never a second one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient

from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.client import alone
from rarelens.pipeline.tracking.runs import (
    list_runs,
    log_datasets,
    log_parameters,
    log_tags,
    logged_steps,
    select,
)
from rarelens.studies.cells import Cell


def study_run(client: MlflowClient, experiment: str, task: str) -> str:
    """The id of the run that holds all cells of a task."""
    with alone():
        # The oldest, so that all who look agree.
        for run in list_runs(client, experiment, select(rarelens__study=task)):
            return str(run.info.run_id)
        name = f"{task.capitalize()} study"
        tags = {names.STUDY: task, names.STALE: "false"}
        created = client.create_run(experiment, run_name=name, tags=tags)
        return str(created.info.run_id)


def open_run(
    client: MlflowClient,
    experiment: str,
    cell: Cell,
    identity: str,
    tags: Mapping[str, str],
    parameters: Mapping[str, Any],
) -> tuple[str, dict[str, set[int]]]:
    """The run of a training that begins or goes on: its id, and `logged_steps`.

    Args:
        client: the client.
        experiment: its experiment's id.
        cell: which is trained.
        identity: of the training.
        tags: further tags; ``dataset_digest`` must be among them.
        parameters: of the training, nested plain values.
    """
    parent = study_run(client, experiment, cell.task)
    cell_name = f"{cell.task}/{cell.name}"
    query = select(rarelens__identity=identity, rarelens__cell=cell_name)
    wanted = {**names.cell_tags(cell, identity), **tags, names.PARENT: parent}
    wanted |= {names.STALE: "false"}
    for run in list_runs(client, experiment, query):
        client.update_run(run.info.run_id, "RUNNING")
        log_tags(client, run.info.run_id, wanted)
        return str(run.info.run_id), logged_steps(client, run)
    created = client.create_run(experiment, run_name=wanted[names.NAME], tags=wanted)
    run_id = str(created.info.run_id)
    log_parameters(client, run_id, names.plain_parameters(parameters))
    log_datasets(client, run_id, {cell.dataset: tags["dataset_digest"]})
    return run_id, {}
