"""Bring MLflow up to date with what stands on disk: one run per trained cell.

A cell that DVC restored from its cache ran nothing and so logged nothing; and the final measures
come from later stages than training. Both are added here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric

from rarelens.cells import Cell
from rarelens.files import read_json
from rarelens.tracking import client as mlflow
from rarelens.tracking.warning import warn_unlogged


def sync(cells: Sequence[Cell]) -> tuple[int, int]:
    """Create or update the run of each trained cell; mark runs of other cells as stale.

    Returns:
        How many cells have a run now, and how many runs are marked as stale.
    """
    client, experiment = mlflow.connect()
    current = {run for cell in cells if (run := _mirror(client, experiment, cell)) is not None}
    stale = 0
    for run in _all_runs(client, experiment):
        is_stale = run.info.run_id not in current
        stale += is_stale
        if run.data.tags.get(mlflow.STALE) != str(is_stale).lower():
            mlflow.log_tags(client, run.info.run_id, {mlflow.STALE: str(is_stale).lower()})
    return len(current), stale


def sync_if_possible(cells: Sequence[Cell]) -> None:
    """As `sync`; if MLflow fails, a warning on standard error says so."""
    try:
        sync(cells)
    except Exception as error:
        warn_unlogged(error)


def _mirror(client: MlflowClient, experiment: str, cell: Cell) -> str | None:
    """The id of the cell's run, brought up to date; None if the cell is not trained."""
    trained = _trained(cell)
    file = trained.folder("records").with_suffix(".json")
    extracted = cell == trained or (cell.folder("extracts") / "extract.json").is_file()
    if not file.is_file() or not trained.folder("models").is_dir() or not extracted:
        return None
    record = read_json(file)
    found = mlflow.find_run(client, experiment, cell, record["identity"])
    if found:
        run = str(found.info.run_id)
    else:
        tags = {"git_commit": record["git_commit"], "dataset_digest": record["dataset_digest"]}
        run = mlflow.create_run(client, experiment, cell, record["identity"], tags)
    if not found or found.info.status != "FINISHED":
        _complete(client, run, cell, record)
    known = found.data.metrics if found else {}
    _log_measures(client, run, _measures(cell, record), known)
    return run


def _complete(client: MlflowClient, run: str, cell: Cell, record: dict[str, Any]) -> None:
    """Add what a new run lacks, or one whose server went away before the training's end."""
    mlflow.log_parameters(client, run, record["parameters"] | _adjustment(cell))
    history = pd.read_csv(_trained(cell).folder("models") / "history.csv").dropna(axis="columns")
    rows = history[~history["step"].isin(mlflow.logged_steps(client, run))]
    mlflow.log_epochs(client, run, (dict(row) for _, row in rows.iterrows()))
    client.set_terminated(run, "FINISHED")


def _trained(cell: Cell) -> Cell:
    """The cell whose weights this one uses: of a post-hoc one its base, else itself."""
    return cell.base if cell.task == "segmentation" else cell


def _adjustment(cell: Cell) -> dict[str, Any]:
    """What a post-hoc cell adds to the parameters of the one whose weights it uses."""
    if cell == _trained(cell):
        return {}
    facts = read_json(cell.folder("extracts") / "extract.json")
    kind = cell.method.partition("+")[2]
    return {"adjustment": {"name": kind, "logit_bias": facts["logit_bias"]}}


def _measures(cell: Cell, record: dict[str, Any]) -> dict[str, float]:
    """Counts and costs of the training, and the final measures where the cell is analysed."""
    names = ["steps", "gradient_evaluations", "seconds", "peak_memory_mib"]
    names += [name for name in ("patches_per_second", "images_per_second") if name in record]
    measures = {f"cost/{name}": float(record[name]) for name in names}
    summary = cell.folder("analyses") / "summary.json"
    if summary.is_file():
        final = mlflow.flatten(read_json(summary), "/", "test/")
        measures |= {name: float(value) for name, value in final.items() if value is not None}
    return measures


def _log_measures(
    client: MlflowClient, run: str, measures: dict[str, float], known: dict[str, float]
) -> None:
    now = pd.Timestamp.now().value // 10**6
    changed = [
        Metric(key, value, now, 0) for key, value in measures.items() if known.get(key) != value
    ]
    if changed:
        client.log_batch(run, metrics=changed)


def _all_runs(client: MlflowClient, experiment: str) -> list[Any]:
    runs: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment], page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs
