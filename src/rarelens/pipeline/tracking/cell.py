"""Bring the run of one cell up to date."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.figure import draw_margins
from rarelens.pipeline.tracking.live import was_executed
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
from rarelens.studies.files import read_json


def mirror_cell(
    client: MlflowClient, experiment: str, cell: RecordedCell, parent: str, found: Sequence[Run]
) -> str:
    """The id of the cell's run, brought up to date.

    ``found``: runs of this cell and identity, the oldest first; ``parent``: the study's run.
    """
    tags = _tags(cell, parent, found)
    for run in found:
        if refresh(client, run, cell.state, tags):
            return str(run.info.run_id)
    parameters, measures = _parameters(cell), _measures(cell)
    fitting = (run for run in found if _fits(run, parameters, measures))
    run = next(fitting, None) or _create(client, experiment, cell, tags)
    _fill(client, run, cell, parameters, measures)
    finish(client, run, cell.state, tags | _weights(cell))
    return str(run.info.run_id)


def _create(client: MlflowClient, experiment: str, cell: RecordedCell, tags: dict[str, str]) -> Run:
    """A new run, which seems to have begun when its training would have."""
    begun = milliseconds() - round(1000 * cell.record["seconds"])
    return client.create_run(experiment, begun, tags, run_name=tags[names.NAME])


def _fits(run: Run, parameters: dict[str, str], measures: dict[str, float]) -> bool:
    """Whether nothing in the run would have to go: MLflow can only add."""
    known = run.data.params
    final = {name for name in run.data.metrics if not names.is_epoch_metric(name)}
    return final <= set(measures) and all(known[key] == parameters.get(key) for key in known)


def _fill(
    client: MlflowClient,
    run: Run,
    cell: RecordedCell,
    parameters: dict[str, str],
    measures: dict[str, float],
) -> None:
    """Add what a new run lacks, or one whose server went away before the training's end."""
    run_id, data = run.info.run_id, run.data
    missing = {key: parameters[key] for key in parameters if key not in data.params}
    log_parameters(client, run_id, missing)
    log_datasets(client, run_id, {cell.cell.dataset: cell.record["dataset_digest"]})
    # The final measures first: a run's page lists metrics as they come.
    changed = {key: measures[key] for key in measures if data.metrics.get(key) != measures[key]}
    log_measures(client, run_id, changed)
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
    # Of a run that another machine logged, only MLflow knows that it was executed.
    executed = was_executed(str(record["identity"])) or any(
        run.data.tags.get(names.ORIGIN) == names.EXECUTED for run in found
    )
    return {
        **names.cell_tags(cell.cell, cell.identity),
        names.ORIGIN: names.EXECUTED if executed else names.RESTORED,
        names.STALE: "false",
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


def _measures(cell: RecordedCell) -> dict[str, float]:
    """What the training took, and the final measures where the cell is analysed."""
    if not cell.analysed:
        return names.costs(cell.record)
    summary = read_json(cell.cell.folder("analyses") / "summary.json")
    return names.measures(cell.cell.task, summary) | names.costs(cell.record)


def _weights(cell: RecordedCell) -> dict[str, str]:
    """Where the weights lie, and their digest; they themselves stay in DVC's cache."""
    file = cell.model / "weights.safetensors"
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"weights": file.as_posix(), "weights.sha256": digest}
