"""What is told where a run could not be logged."""

from __future__ import annotations

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.tracking.warning import warn_unlogged


def test_a_server_that_is_away_is_told_with_the_cure(capsys: pytest.CaptureFixture[str]) -> None:
    warn_unlogged(ConnectionError("refused\nby host"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow does not answer")
    assert line.endswith("(`rarelens sync` adds it later): refused by host")


def test_a_broken_file_of_ours_is_no_failure_of_mlflow(capsys: pytest.CaptureFixture[str]) -> None:
    warn_unlogged(RarelensError("dvc.lock: broken; restore it", "records/a.json: broken"))
    assert capsys.readouterr().err.splitlines() == [
        "warning: MLflow is not up to date: dvc.lock: broken; restore it",
        "warning: MLflow is not up to date: records/a.json: broken",
    ]
