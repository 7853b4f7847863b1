from __future__ import annotations

from pathlib import Path

import pytest

from rarelens.pipeline.tracking.client import connect


def test_connecting_twice_finds_the_same_experiment(project: Path) -> None:
    assert connect()[1] == connect()[1]


def test_an_experiment_in_the_bin_is_taken_out_again(project: Path) -> None:
    client, experiment = connect()
    client.delete_experiment(experiment)
    assert connect()[1] == experiment
    assert client.get_experiment(experiment).lifecycle_stage == "active"


def test_another_experiment_by_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = connect()[1]
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    assert connect()[1] != experiment
