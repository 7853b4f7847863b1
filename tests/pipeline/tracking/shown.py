"""All that MLflow shows of an experiment, in plain values to compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from rarelens.pipeline.tracking import names


def all_shown(client: MlflowClient, experiment: str) -> dict[str, Any]:
    """Everything but ids, times and the machine; runs are called by what they are found by."""
    runs = list(client.search_runs([experiment]))
    models = {each.source_run_id: each for each in client.search_logged_models([experiment])}
    titles = {run.info.run_id: _title(run) for run in runs}
    shown: dict[str, Any] = {"experiment": client.get_experiment(experiment).tags}
    for run in runs:
        tags = dict(run.data.tags)
        if names.PARENT in tags:
            tags[names.PARENT] = titles[tags[names.PARENT]]
        shown[titles[run.info.run_id]] = {
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "tags": tags,
            "points": {
                name: points
                for name, points in points_of(client, run.info.run_id).items()
                if not name.startswith(names.SYSTEM)
            },
            "datasets": _datasets(run),
            "artifacts": _artifacts(client, run.info.run_id),
            "model": _model(models.get(run.info.run_id)),
        }
    assert len(shown) == 1 + len(runs)
    shown["registry"] = {
        each.name: _registered(client, each) for each in client.search_registered_models()
    }
    return shown


def points_of(client: MlflowClient, run: str) -> dict[str, list[tuple[int, float]]]:
    """Every point of every metric of a run: (step, value), by name."""
    return {
        name: sorted((point.step, point.value) for point in client.get_metric_history(run, name))
        for name in client.get_run(run).data.metrics
    }


def _model(model: Any) -> dict[str, Any] | None:
    if model is None:
        return None
    metrics = {
        (each.key, each.dataset_name, each.dataset_digest): each.value
        for each in model.metrics or ()
    }
    shown = {"name": model.name, "type": model.model_type, "status": str(model.status)}
    return shown | {"params": model.params, "tags": model.tags, "metrics": metrics}


def _registered(client: MlflowClient, model: Any) -> dict[str, Any]:
    best = [client.get_model_version(model.name, each) for each in model.aliases.values()]
    return {"about": model.description, "best": [each.tags for each in best]}


def _title(run: Any) -> str:
    tags = run.data.tags
    return str(tags.get(names.STUDY) or f"{tags[names.CELL]} {tags[names.IDENTITY]}")


def _datasets(run: Any) -> list[tuple[str, ...]]:
    return sorted(
        (each.dataset.name, each.dataset.digest, each.dataset.source, each.tags[0].value)
        for each in run.inputs.dataset_inputs
    )


def _artifacts(client: MlflowClient, run: str, folder: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for file in client.list_artifacts(run, folder):
        if file.is_dir:
            found |= _artifacts(client, run, file.path)
        else:
            found[file.path] = Path(client.download_artifacts(run, file.path)).read_bytes()
    return found
