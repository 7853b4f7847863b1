"""MLflow's database file: killed while it is made, locked, of another version."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.tracking.client import connect

MAKE = "from rarelens.pipeline.tracking.client import connect; print('go', flush=True); connect()"


@pytest.mark.parametrize("seconds", [0.3, 0.8])
def test_killed_while_the_database_is_made_the_next_one_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/new.db")
    with subprocess.Popen([sys.executable, "-c", MAKE], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(seconds)
        os.kill(child.pid, signal.SIGKILL)
    client, experiment = connect()
    assert client.get_experiment(experiment).name == "rarelens"
    assert sorted(path.name for path in tmp_path.glob("*new.db*")) == ["new.db", "new.db.lock"]


def test_a_database_left_half_made_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/half.db")
    with closing(sqlite3.connect("half.db")) as database:
        database.execute("CREATE TABLE experiments (experiment_id INTEGER, workspace TEXT)")
        database.execute("CREATE TABLE runs (run_uuid TEXT)")
    client, experiment = connect()
    assert client.get_experiment(experiment).name == "rarelens"
    assert Path("half.db.unfinished").is_file()


def test_an_older_and_a_locked_database_get_their_sentences(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = project / "other.db"
    copy.write_bytes((project / "mlflow.db").read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy}")
    with closing(sqlite3.connect(copy)) as database:
        database.execute("UPDATE alembic_version SET version_num = '90e64c465722'")
        database.commit()
        with pytest.raises(RarelensError, match="made by another version of MLflow"):
            connect()
        database.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RarelensError, match="another program has locked"):
            connect()
