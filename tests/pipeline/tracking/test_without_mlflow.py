"""``rarelens sync`` where no MLflow answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shell import command


def test_sync_without_mlflow_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).parents[3] / "params.yaml", tmp_path)
    (tmp_path / "no.db").write_bytes(b"this is no database and never was one" * 9)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert command(monkeypatch, "sync") == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("error: MLflow is not up to date (")
    assert "MLFLOW_TRACKING_URI is right, then run `rarelens sync` again" in said
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/no.db")
    assert command(monkeypatch, "sync") == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path}/no.db: damaged, or no database; move it away")
    assert "Traceback" not in said
