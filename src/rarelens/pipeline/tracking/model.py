"""MLflow's model of a cell: parameters, digest, signature; its weights stay in DVC's cache.

MLflow calls models "external" that it cannot load (`mlflow.create_external_model`). These it can,
where the weights are: its files hold a pointer, which `rarelens.pipeline.tracking.pyfunc` follows.
"""

from __future__ import annotations

import csv
import hashlib
import re
import tempfile
from math import isfinite
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput

from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.recorded import RecordedCell
from rarelens.studies.files import read_json

# The columns of the training history by which a model may be chosen.
SCORES = ("validation_dice", "validation_average_precision")
_FORBIDDEN = re.compile("[/:.%\"']")


def list_models(client: MlflowClient, experiment: str) -> dict[str, LoggedModel]:
    """The models that cells have in MLflow, by the ids of their runs."""
    found: dict[str, LoggedModel] = {}
    token = None
    while True:
        page = client.search_logged_models([experiment], page_token=token)
        found |= {each.source_run_id: each for each in page if names.CELL in each.tags}
        token = page.token
        if not token:
            return found


def shows(model: LoggedModel | None, cell: RecordedCell) -> bool:
    """Whether a model of the cell's run is whole, and of its weights."""
    return (
        model is not None
        and str(model.status) == "READY"
        and model.tags.get(names.STATE) == cell.weights
    )


def create_model(
    client: MlflowClient, experiment: str, run: str, cell: RecordedCell, parameters: dict[str, str]
) -> LoggedModel:
    """Make the model of a cell, and show it on the page of its run."""
    # Imported here, for most syncs have nothing to make.
    from rarelens.pipeline.tracking.mlmodel import save_mlmodel

    card = read_json(cell.model / "model.json")
    tags = names.cell_tags(cell.cell, cell.identity) | weights_tags(cell)
    tags |= {names.STALE: "false", names.STATE: cell.weights, names.USER: names.user()}
    tags |= {"selected_step": str(card["selected_step"]), **_scores(cell, card["selected_step"])}
    del tags[names.NAME]
    name = _FORBIDDEN.sub("_", names.run_name(cell.cell))
    model = client.create_logged_model(experiment, name, run, tags, parameters, cell.cell.task)
    with tempfile.TemporaryDirectory() as folder:
        save_mlmodel(Path(folder) / "model", cell, card, model)
        client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
    client.log_outputs(run, [LoggedModelOutput(model.model_id, step=0)])
    return client.finalize_logged_model(model.model_id, "READY")


def mark(client: MlflowClient, model: LoggedModel | None, stale: str) -> None:
    """Say of a model whether it is stale ("true", "false"), as of its run."""
    if model is not None and model.tags.get(names.STALE) != stale:
        client.set_logged_model_tags(model.model_id, {names.STALE: stale})


def weights_tags(cell: RecordedCell) -> dict[str, str]:
    """Where the weights lie, and their digest; they themselves stay in DVC's cache."""
    file = cell.model / "weights.safetensors"
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"weights": file.as_posix(), "weights.sha256": digest}


def _scores(cell: RecordedCell, step: Any) -> dict[str, str]:
    """What the validation said of the weights that were kept, if it looked at that step.

    Nothing of an adjusted cell: its base's weights were validated, without the adjustment.
    """
    if cell.adjustment:
        return {}
    with (cell.model / "history.csv").open(encoding="utf-8") as stream:
        kept = [row for row in csv.DictReader(stream) if float(row["step"]) == step]
    return {
        key: row[key] for row in kept for key in SCORES if isfinite(float(row.get(key) or "nan"))
    }
