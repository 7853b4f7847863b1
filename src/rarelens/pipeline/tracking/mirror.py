"""Bring MLflow up to date with DVC's locks: one run per cell, below one run per study.

A cell that DVC restored from its cache ran nothing and so logged nothing; and the final measures
come from later stages than training. Both are added here. What is up to date is left alone: the
runs are listed once, and each tells by a digest what it was last brought up to date with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run

from rarelens.errors import RarelensError
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.cell import mirror_cell
from rarelens.pipeline.tracking.client import connect
from rarelens.pipeline.tracking.live import warn_not_logged
from rarelens.pipeline.tracking.lock import Lock
from rarelens.pipeline.tracking.model import list_models, mark
from rarelens.pipeline.tracking.page import describe_experiment
from rarelens.pipeline.tracking.recorded import RecordedCell, find_recorded
from rarelens.pipeline.tracking.registry import mirror_registry
from rarelens.pipeline.tracking.running import close_killed
from rarelens.pipeline.tracking.runs import find_study_run, list_runs, log_tags
from rarelens.pipeline.tracking.study import mirror_study
from rarelens.studies.cells import Cell


@dataclass(frozen=True)
class Synced:
    """What a sync came to.

    Attributes:
        current: cells that have a run now.
        stale: runs of other cells, of older identities, and doubles.
        absent: cells that are in the lock, but whose files are not on disk.
        killed: runs that a kill had left open, closed now.
    """

    current: int
    stale: int
    absent: int
    killed: int = 0


def sync(cells: Sequence[Cell]) -> Synced:
    """Create or update the run of each recorded cell; mark all other runs as stale.

    Raises:
        RarelensError: if a lock or a record is not as DVC and training write it.
    """
    recorded, absent = find_recorded(cells, Lock(Path()))
    client, experiment = connect()
    describe_experiment(client, experiment, recorded)
    runs, models = list_runs(client, experiment), list_models(client, experiment)
    current: set[str] = set()
    for task in dict.fromkeys(each.cell.task for each in recorded):
        own = [each for each in recorded if each.cell.task == task]
        current |= _mirror_task(client, experiment, task, own, runs, models)
    if current - {run.info.run_id for run in runs}:
        runs = list_runs(client, experiment)
    mirror_registry(client, experiment, models, current)
    stale = [run for run in runs if _is_ours(run) and run.info.run_id not in current]
    _mark_stale(client, stale, models)
    return Synced(len(recorded), len(stale), absent, close_killed(client, stale))


def sync_and_report(cells: Sequence[Cell]) -> str:
    """As `sync`; what it came to, in sentences.

    Raises:
        RarelensError: also if MLflow fails.
    """
    try:
        done = sync(cells)
    except RarelensError:
        raise
    # A server, a database and a network fail in as many ways.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise RarelensError(
            f"MLflow is not up to date ({reason}); see that its server runs and that "
            "MLFLOW_TRACKING_URI is right, then run `rarelens sync` again"
        ) from error
    said = f"MLflow: {done.current} runs of this study, {done.stale} others marked as stale"
    if done.killed:
        said += f"\n{done.killed} of them had been killed in training: closed"
    if done.absent:
        are = "cell is" if done.absent == 1 else "cells are"
        said += f"\n{done.absent} {are} not on disk: run `dvc repro`, then `rarelens sync`"
    return said


def sync_if_possible(cells: Sequence[Cell]) -> None:
    """As `sync`; if MLflow fails, a warning on standard error says so."""
    try:
        sync(cells)
    except Exception as error:
        warn_not_logged(error)


def _mirror_task(
    client: MlflowClient,
    experiment: str,
    task: str,
    cells: list[RecordedCell],
    runs: list[Run],
    models: dict[str, LoggedModel],
) -> set[str]:
    """The ids of the runs of a study and of its cells, all up to date."""
    parents = _tagged(runs, names.STUDY, task)
    parent = parents[0].info.run_id if parents else find_study_run(client, experiment, task)
    current = {parent}
    for each in cells:
        cell_name = f"{task}/{each.cell.name}"
        candidates = _tagged(_tagged(runs, names.CELL, cell_name), names.IDENTITY, each.identity)
        current.add(mirror_cell(client, experiment, each, parent, candidates, models))
    mirror_study(client, task, cells, parents[0] if parents else client.get_run(parent))
    return current


def _tagged(runs: Iterable[Run], tag: str, value: str) -> list[Run]:
    return [run for run in runs if run.data.tags.get(tag) == value]


def _is_ours(run: Run) -> bool:
    """Others' runs are none of our business."""
    return bool({names.CELL, names.STUDY} & run.data.tags.keys())


def _mark_stale(
    client: MlflowClient, runs: Iterable[Run], models: Mapping[str, LoggedModel]
) -> None:
    """Mark runs and their models, if they are not yet."""
    for run in runs:
        mark(client, models.get(run.info.run_id), "true")
        if run.data.tags.get(names.STALE) != "true":
            log_tags(client, run.info.run_id, {names.STALE: "true"})
