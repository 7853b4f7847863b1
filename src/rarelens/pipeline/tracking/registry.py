"""MLflow's registry: a model for each study and dataset, whose alias "best" is its best cell's.

Chosen by validation, never by the test set, which is there to say how good the choice is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.model import SCORES

BEST, EXPERIMENT = "best", "rarelens.experiment"
VERSIONS = "mlflow.modelVersions"
_FORBIDDEN = re.compile("[/:]")


def mirror_registry(
    client: MlflowClient,
    experiment: str,
    models: Mapping[str, LoggedModel],
    current: Collection[str],
) -> None:
    """Move each alias to the best model of the ``current`` runs; take it from what has none.

    ``models``: all that cells have, by the ids of their runs.
    """
    best = _best([model for run, model in models.items() if run in current])
    title = client.get_experiment(experiment).name
    prefix = _FORBIDDEN.sub("_", title)
    wanted = {f"{prefix}-{task}-{dataset}": best[task, dataset] for task, dataset in best}
    known = _registered(client, title)
    for name, model in wanted.items():
        registered = known.get(name) or _register(client, title, name, model)
        if BEST in registered.aliases:
            version = client.get_model_version_by_alias(name, BEST)
            if version.source == model.model_uri:
                continue
        version = _version(client, name, model, {each.model_uri for each in models.values()})
        client.set_registered_model_alias(name, BEST, version.version)
    for name in known.keys() - wanted.keys():
        if BEST in known[name].aliases:
            client.delete_registered_model_alias(name, BEST)


def _best(models: Collection[LoggedModel]) -> dict[tuple[str, str], LoggedModel]:
    """The best model of each task and dataset in which one was validated; of equals, the first."""
    best: dict[tuple[str, str], LoggedModel] = {}
    scored = [model for model in models if _score(model)[0]]
    for model in sorted(scored, key=lambda each: (-_score(each)[1], each.tags[names.CELL])):
        best.setdefault((model.tags["task"], model.tags["dataset"]), model)
    return best


def _score(model: LoggedModel) -> tuple[str, float]:
    """By what measure a model was validated, and its value; "" and 0 if it was not."""
    known = ((key, float(model.tags[key])) for key in SCORES if key in model.tags)
    return next(known, ("", 0.0))


def _registered(client: MlflowClient, experiment: str) -> dict[str, RegisteredModel]:
    """Those of the experiment, by name."""
    found: dict[str, RegisteredModel] = {}
    token = None
    while True:
        page = client.search_registered_models(page_token=token)
        found |= {each.name: each for each in page if each.tags.get(EXPERIMENT) == experiment}
        token = page.token
        if not token:
            return found


def _register(
    client: MlflowClient, experiment: str, name: str, model: LoggedModel
) -> RegisteredModel:
    task, dataset, measure = model.tags["task"], model.tags["dataset"], _score(model)[0]
    about = (
        f"Trained models of the {task} study on {dataset}. `{BEST}` has the highest "
        f"`{measure}` of all cells, at the step whose weights were kept: chosen on the validation "
        "cases, never on the test set. `rarelens sync` moves it."
    )
    return client.create_registered_model(name, {EXPERIMENT: experiment}, about)


def _version(
    client: MlflowClient, name: str, model: LoggedModel, known: Collection[str]
) -> ModelVersion:
    """The model's version, made where there is none; versions of models that are gone go."""
    versions = client.search_model_versions(f"name = '{name}'")
    for each in versions:
        if each.source not in known:
            client.delete_model_version(name, each.version)
    for each in versions:
        if each.source == model.model_uri:
            return each
    measure, value = _score(model)
    tags = {names.CELL: model.tags[names.CELL], measure: f"{value:g}"}
    version = client.create_model_version(
        name,
        model.model_uri,
        model.source_run_id,
        tags,
        await_creation_for=0,
        model_id=model.model_id,
    )
    # By this the model's page knows, as after `mlflow.register_model`.
    shown = json.dumps([{"name": name, "version": version.version}])
    client.set_logged_model_tags(model.model_id, {VERSIONS: shown})
    return version
