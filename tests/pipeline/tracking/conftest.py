"""Ways to look into MLflow's database."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.tracking.project import STUDY, leave

Runs = Callable[..., list[Any]]


@pytest.fixture
def project(project: Path) -> Path:
    """As everywhere, and the database's artifacts lie in the project too."""
    return rehome(project)


@pytest.fixture
def trained(trained: Path) -> Path:
    """As everywhere, and the database's artifacts lie in the project too."""
    return rehome(trained)


def rehome(project: Path) -> Path:
    """MLflow fixes where artifacts lie when a database is made: lead them to where it is now."""
    with sqlite3.connect(project / "mlflow.db") as database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            database.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, instr({column}, '/mlruns'))",
                [str(project)],
            )
    database.close()
    # In one process MLflow remembers where a run's artifacts lay.
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()
    return project


@pytest.fixture
def study(project: Path) -> Path:
    """Both studies, with a post-hoc cell each and something to show for the comparison."""
    for cell in STUDY:
        leave(cell)
    for name in ("segmentation.csv", "classification.csv", "classification_pairs.csv"):
        Path("metrics").mkdir(exist_ok=True)
        Path("metrics", name).write_text(name)
    Path("reports/figures").mkdir(parents=True)
    Path("reports/index.html").write_text("<p>report")
    for name in ("brains-unet-1-shift", "smears-light_cnn-1-shift", "brains_old-unet-1-shift"):
        Path("reports/figures", f"{name}.png").write_bytes(name.encode())
    return project


@pytest.fixture
def runs() -> Runs:
    """Lists all runs of cells in the project's database, or those of the studies."""
    from rarelens.pipeline.tracking import names
    from rarelens.pipeline.tracking.client import connect

    def listed(tag: str = names.CELL) -> list[Any]:
        client, experiment = connect()
        return [run for run in client.search_runs([experiment]) if tag in run.data.tags]

    return listed


@pytest.fixture
def history() -> Callable[[str], dict[str, list[tuple[int, float]]]]:
    """Every point of every metric of a run: (step, value), by name."""
    from pipeline.tracking.shown import points_of
    from rarelens.pipeline.tracking.client import connect

    return lambda run: points_of(connect()[0], run)


@pytest.fixture
def picture() -> Callable[[], dict[str, Any]]:
    """All that MLflow shows of the project, but run ids and times."""
    from pipeline.tracking.shown import all_shown
    from rarelens.pipeline.tracking.client import connect

    return lambda: all_shown(*connect())


@pytest.fixture
def new_database(project: Path, mlflow_template: Path) -> Callable[[], None]:
    """Does as if the user had deleted the database and a new one was made."""

    def make() -> None:
        shutil.copy(mlflow_template, project / "mlflow.db")
        shutil.rmtree(project / "mlruns", ignore_errors=True)
        rehome(project)
        # MLflow keeps connections to the old file open.
        from mlflow.tracking._tracking_service import utils

        utils._tracking_store_registry._get_store_with_resolved_uri.cache_clear()

    return make
