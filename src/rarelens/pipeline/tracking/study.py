"""Bring the run of a study up to date: it holds the cells' runs and what they come to."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.recorded import VERSION, RecordedCell
from rarelens.pipeline.tracking.runs import finish, log_datasets, log_measures, refresh


def mirror_study(client: MlflowClient, task: str, cells: Sequence[RecordedCell], run: Run) -> None:
    """Show the report, the comparison's tables and the study's extent, where they have changed."""
    files = _files(task, cells)
    content = [hashlib.sha256(file.read_bytes()).hexdigest() for file, _ in files]
    shown = [VERSION, [str(file) for file, _ in files], content, sorted(e.state for e in cells)]
    state = hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]
    tags = _tags(task, cells)
    tags[names.USER] = run.data.tags.get(names.USER) or names.user()
    if refresh(client, run, state, tags):
        return
    run_id = run.info.run_id
    log_datasets(client, run_id, {e.cell.dataset: e.record["dataset_digest"] for e in cells})
    if run.data.metrics.get("study/cells") != len(cells):
        log_measures(client, run_id, {"study/cells": len(cells)})
    _replace_artifacts(client, run, files)
    finish(client, run, state, tags)


def _files(task: str, cells: Sequence[RecordedCell]) -> list[tuple[Path, str]]:
    """What the run shows and in which folder, as far as it is on disk."""
    blocks = {f"{each.cell.dataset}-{each.cell.network}-" for each in cells}
    figures = sorted(Path("reports/figures").glob("*.png"))
    page = Path("reports/index.html")
    return [
        *([(page, "report")] if page.is_file() else []),
        *((file, "figures") for file in figures if file.name.startswith(tuple(blocks))),
        *((file, "metrics") for file in sorted(Path("metrics").glob(f"{task}*.csv"))),
    ]


def _replace_artifacts(client: MlflowClient, run: Run, files: Sequence[tuple[Path, str]]) -> None:
    """Log the files; artifacts of an earlier state go."""
    there = {file.path for file in client.list_artifacts(run.info.run_id)}
    repository = get_artifact_repository(run.info.artifact_uri, client.tracking_uri)
    for folder in there & {"report", "figures", "metrics"}:
        repository.delete_artifacts(folder)
    for file, folder in files:
        client.log_artifact(run.info.run_id, os.fspath(file), folder)


def _tags(task: str, cells: Sequence[RecordedCell]) -> dict[str, str]:
    extent = {
        key: ", ".join(dict.fromkeys(str(getattr(each.cell, key)) for each in cells))
        for key in ("dataset", "network", "method", "fraction", "seed")
    }
    lines = "\n".join(f"- {key}: {value}" for key, value in extent.items())
    return {
        names.STUDY: task,
        names.STALE: "false",
        names.NAME: f"{task.capitalize()} study",
        names.NOTE: f"The {task} study: {len(cells)} cells.\n\n{lines}\n\nArtifacts: the report "
        "(`report/index.html`), its figures, the tables of the comparison.",
        "task": task,
        names.SOURCE: f"studies/{task}/dvc.yaml:compare",
        names.SOURCE_TYPE: "LOCAL",
        **names.experiment_tag(),
    }
