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


def test_a_working_copy_of_dvc_s_logs_to_its_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = connect()[1]
    copy = project / "copy"
    copy.mkdir()
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(project))
    monkeypatch.setenv("DVC_EXP_NAME", "puppy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    client, experiment = connect()
    assert experiment != plain
    own = client.get_experiment(experiment)
    assert (own.name, own.artifact_location) == (
        "rarelens · puppy",
        (project / "mlruns/puppy").as_uri(),
    )
    assert not list(copy.iterdir())
    # An experiment in the project itself is none of a copy.
    monkeypatch.chdir(project)
    assert connect()[1] == plain
