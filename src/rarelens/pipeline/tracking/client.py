"""The MLflow client and the experiment.

Settings are environment variables, for they change no result: ``MLFLOW_TRACKING_URI`` (by
default ``sqlite:///mlflow.db``), ``MLFLOW_EXPERIMENT_NAME`` (by default "rarelens"), and
``RARELENS_MLFLOW_CASE_IDS=1`` to let case ids into MLflow. What runs in a working copy of DVC's
goes to the project's database, where each has an MLflow experiment of its own: one for all would
have each mark the others' runs as stale.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Before MLflow is imported: what is trained here is nobody else's business.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A server that is away is given up on in seconds, not in MLflow's minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
# Of each run on a server that ends, MLflow prints the address.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from filelock import FileLock
from mlflow import MlflowClient, set_tracking_uri
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from rarelens.pipeline.tracking.database import SQLITE, explain, make_database
from rarelens.pipeline.tracking.experiment import own_experiment

_PATIENCE = 120  # seconds

# Of making its tables, it tells each step.
for _chatter in ("mlflow.store.db.utils", "alembic"):
    logging.getLogger(_chatter).setLevel(logging.WARNING)


def connect() -> tuple[MlflowClient, str]:
    """The client and the experiment's id, which is made where it does not exist.

    Raises:
        RarelensError: if the database file is damaged, locked or of another version of MLflow.
    """
    # The registry does not ask its client, but this, where a model is that it is to register.
    set_tracking_uri(tracking_uri())
    with exclusive():
        file = _database()
        if file is None:
            client = MlflowClient(tracking_uri())
            return client, _experiment(client)
        make_database(file)
        try:
            client = MlflowClient(tracking_uri())
            return client, _experiment(client)
        except Exception as error:
            if known := explain(file, error):
                raise known from error
            raise


def tracking_uri() -> str:
    """Where the runs are kept."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", f"{SQLITE}mlflow.db")
    own = own_experiment()
    if own is None or not uri.startswith(SQLITE):
        return uri
    return f"{SQLITE}{own.project / uri.removeprefix(SQLITE)}"


@contextmanager
def exclusive() -> Iterator[None]:
    """Keep other processes out while something is looked up and made if it is missing.

    Only a database file needs it, on which every process makes tables and records itself; on a
    server a rare double is possible, and `sync` settles it.
    """
    file = _database()
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock", timeout=_PATIENCE):
        yield


def _database() -> Path | None:
    """The database file; None where a server or another kind of store keeps the runs."""
    uri = tracking_uri()
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def _experiment(client: MlflowClient) -> str:
    name, artifacts = os.environ.get("MLFLOW_EXPERIMENT_NAME", "rarelens"), None
    own = own_experiment()
    if own is not None:
        name = f"{name} · {own.name}"
        if tracking_uri().startswith(SQLITE):
            # MLflow's own default would be the copy, which goes.
            artifacts = (own.project / "mlruns" / own.name).absolute().as_uri()
    found: Experiment | None = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifacts))
        except MlflowException:
            # Another process was faster, if it is there now.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)
