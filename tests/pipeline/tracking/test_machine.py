"""What the machine does is logged while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.tracking.project import BCE
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.client import connect
from rarelens.pipeline.tracking.live import LiveRun

Runs = Callable[..., list[Any]]


def train(seconds: float) -> dict[str, float]:
    """The metrics of a run that was open for so long."""
    run = LiveRun({"dataset_digest": "d", "git_commit": "c"}, [])
    run.start(BCE, "identity", {})
    time.sleep(seconds)
    run.end("FINISHED")
    client, experiment = connect()
    found = client.search_runs([experiment], f"tags.`{names.IDENTITY}` = 'identity'")
    return dict(found[0].data.metrics)


def test_the_machine_is_watched(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    found = train(1)
    assert 0 <= found["system/cpu_utilization_percentage"] <= 100
    assert found["system/system_memory_usage_megabytes"] > 0
    assert capfd.readouterr().err == ""


def test_it_is_not_if_mlflow_is_told_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    assert train(0.3) == {}
