"""Ways to look into MLflow's database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Runs = Callable[[], list[Any]]


@pytest.fixture
def runs() -> Runs:
    """Lists all runs of the project's database."""
    from rarelens.tracking.client import connect

    def listed() -> list[Any]:
        client, experiment = connect()
        return list(client.search_runs([experiment]))

    return listed


@pytest.fixture
def history() -> Callable[[str], dict[str, list[tuple[int, float]]]]:
    """Every point of every metric of a run: (step, value), by name."""
    from rarelens.tracking.client import connect

    def of(run: str) -> dict[str, list[tuple[int, float]]]:
        client, _ = connect()
        names = sorted(client.get_run(run).data.metrics)
        points = {name: client.get_metric_history(run, name) for name in names}
        return {
            name: sorted((metric.step, metric.value) for metric in metrics)
            for name, metrics in points.items()
        }

    return of
