"""Bring the run of one cell up to date."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run

from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.figure import draw_margins
from rarelens.pipeline.tracking.live import was_executed
from rarelens.pipeline.tracking.model import create_model, mark, shows, weights_tags
from rarelens.pipeline.tracking.recorded import RecordedCell
from rarelens.pipeline.tracking.runs import (
    finish,
    log_datasets,
    log_epochs,
    log_measures,
    log_parameters,
    logged_steps,
    milliseconds,
    refresh,
)


def mirror_cell(
    client: MlflowClient,
    experiment: str,
    cell: RecordedCell,
    parent: str,
    found: Sequence[Run],
    models: dict[str, LoggedModel],
) -> str:
    """The id of the cell's run, brought up to date.

    Args:
        client: of MLflow.
        experiment: its id.
        cell: the cell.
        parent: the study's run.
        found: runs of this cell and identity, the oldest first.
        models: by the ids of their runs; the cell's own is brought up to date, too.
    """
    tags = _tags(cell, parent, found)
    for run in found:
        model = models.get(run.info.run_id)
        if shows(model, cell) and refresh(client, run, cell.state, tags):
            mark(client, model, "false")
            return str(run.info.run_id)
    parameters = _parameters(cell)
    measures = cell.measures() | names.costs(cell.record)
    fitting = (run for run in found if _fits(run, parameters, measures))
    run = next(fitting, None) or _create(client, experiment, cell, tags)
    _fill(client, run, cell, parameters, measures, models)
    finish(client, run, cell.state, tags | weights_tags(cell))
    return str(run.info.run_id)


def _create(client: MlflowClient, experiment: str, cell: RecordedCell, tags: dict[str, str]) -> Run:
    """A new run, which seems to have begun when its training would have."""
    begun = milliseconds() - round(1000 * cell.record["seconds"])
    return client.create_run(experiment, begun, tags, run_name=tags[names.NAME])


def _fits(run: Run, parameters: dict[str, str], measures: dict[str, float]) -> bool:
    """Whether nothing in the run would have to go: MLflow can only add."""
    known = run.data.params
    final = {name for name in run.data.metrics if names.is_final(name)}
    return final <= set(measures) and all(known[key] == parameters.get(key) for key in known)


def _fill(
    client: MlflowClient,
    run: Run,
    cell: RecordedCell,
    parameters: dict[str, str],
    measures: dict[str, float],
    models: dict[str, LoggedModel],
) -> None:
    """Add what a new run lacks, or one whose server went away before the training's end."""
    run_id, data = run.info.run_id, run.data
    missing = {key: parameters[key] for key in parameters if key not in data.params}
    log_parameters(client, run_id, missing)
    log_datasets(client, run_id, {cell.cell.dataset: cell.record["dataset_digest"]})
    model, known = models.get(run_id), data.metrics
    if model is None or not shows(model, cell):
        if model is not None:
            client.delete_logged_model(model.model_id)
        model, known = create_model(client, run.info.experiment_id, run_id, cell, parameters), {}
        models[run_id] = model
    mark(client, model, "false")
    # The final measures first: a run's page lists metrics as they come.
    changed = {key: measures[key] for key in measures if known.get(key) != measures[key]}
    of = {"dataset_name": cell.cell.dataset, "dataset_digest": cell.record["dataset_digest"]}
    log_measures(client, run_id, changed, model_id=model.model_id, **of)
    history = pd.read_csv(cell.model / "history.csv")
    rows = ({str(key): float(row[key]) for key in row.index} for _, row in history.iterrows())
    log_epochs(client, run_id, rows, logged_steps(client, run))
    if cell.analysed:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "margins.png"
            draw_margins(cell.cell.folder("analyses"), file)
            client.log_artifact(run_id, str(file), "figures")


def _tags(cell: RecordedCell, parent: str, found: Sequence[Run]) -> dict[str, str]:
    """All tags but the weights' and the state's."""
    record = cell.record
    users = [run.data.tags[names.USER] for run in found if names.USER in run.data.tags]
    # Of a run that another machine logged, only MLflow knows that it was executed.
    executed = was_executed(str(record["identity"])) or any(
        run.data.tags.get(names.ORIGIN) == names.EXECUTED for run in found
    )
    return {
        **names.cell_tags(cell.cell, cell.identity),
        names.ORIGIN: names.EXECUTED if executed else names.RESTORED,
        names.STALE: "false",
        names.USER: users[0] if users else names.user(),
        names.PARENT: parent,
        names.COMMIT: str(record["git_commit"]).removesuffix("+"),
        "git_commit": str(record["git_commit"]),
        "dataset_digest": str(record["dataset_digest"]),
        "device": str(record.get("gpu", record["device"])),
        **{f"environment.{key}": str(value) for key, value in record["environment"].items()},
    }


def _parameters(cell: RecordedCell) -> dict[str, str]:
    adjustment = {"adjustment": cell.adjustment} if cell.adjustment else {}
    return names.plain_parameters(cell.record["parameters"] | adjustment)
