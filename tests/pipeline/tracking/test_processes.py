"""Several processes and a server: races on an empty database, and MLflow over the network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.tracking.project import BCE, RETRAINED, STUDY, VALIDATED, leave
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.live import LiveRun
from rarelens.pipeline.tracking.mirror import Synced, sync
from rarelens.studies.files import read_json

TRAINING = """
import sys
from rarelens.studies.cells import Cell
from rarelens.pipeline.tracking.live import LiveRun

seed = int(sys.argv[1])
run = LiveRun({"dataset_digest": "d", "git_commit": "c"}, [])
run.start(Cell("classification", "smears", "light_cnn", "bce", "1", seed), f"id{seed}", {"a": 1})
for step in (1, 2, 3):
    run.epoch({"step": step, "loss": 1 / step})
run.end("FINISHED")
"""
Runs = Callable[..., list[Any]]


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True
    )


def test_eight_trainings_may_begin_at_once_on_an_empty_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Runs
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/new/mlflow.db")
    processes = [start(TRAINING, str(seed)) for seed in range(8)]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    assert not [text for text in said if "warning" in text]
    assert sorted(run.data.tags["seed"] for run in runs()) == [str(seed) for seed in range(8)]
    (study,) = runs(names.STUDY)
    for run in runs():
        assert run.info.status == "FINISHED"
        assert run.data.metrics["train/loss"] == float(f"{1 / 3:.9g}")
        assert run.data.tags[names.PARENT] == study.info.run_id


class Server:
    """A server of MLflow's own, which also serves artifacts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self.folder}/server.db"),
        ]
        with (self.folder / "log").open("w") as log:
            # A session of its own, for it starts workers.
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        while self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=2).close()
            except OSError:
                time.sleep(0.3)
            else:
                return
        pytest.fail("the server did not start")

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server, the one to log to, in another folder than the project."""
    running = Server(tmp_path / "server")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running.address)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    yield running
    running.stop()


def test_a_server_shows_what_a_local_database_does(
    server: Server, picture: Callable[[], Any]
) -> None:
    for cell in STUDY:
        leave(cell, history=VALIDATED)
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    shown = picture()
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    assert picture() == shown
    run = shown[f"classification/{BCE.name} identity-bce-0"]
    assert run["artifacts"]["figures/margins.png"].startswith(b"\x89PNG")
    assert run["points"]["train/loss"] == [(2, 0.7), (4, 0.25)]
    assert run["tags"][names.PARENT] == "classification"
    assert run["model"]["status"] == "READY"
    (best,) = shown["registry"]["rarelens-classification-smears"]["best"]
    # Of equals, the first by name.
    assert best[names.CELL] == f"classification/{RETRAINED.name}"
    assert not Path("mlruns").exists()


def test_a_server_that_goes_away_in_training_costs_one_warning(
    server: Server,
    capfd: pytest.CaptureFixture[str],
    runs: Runs,
) -> None:
    leave(BCE)
    record = read_json(BCE.folder("records").with_suffix(".json"))
    live = LiveRun({"dataset_digest": record["dataset_digest"], "git_commit": "abc+"}, [])
    live.start(BCE, record["identity"], record["parameters"])
    live.epoch({"step": 2, "loss": 0.7, "learning_rate": 0.01})
    server.stop()
    live.epoch({"step": 4, "loss": 0.25, "learning_rate": 0.001})
    live.end("FINISHED")
    assert capfd.readouterr().err.count("warning:") == 1
    server.start()
    assert sync([BCE]) == Synced(current=1, stale=0, absent=0)
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["train/loss"] == 0.25
    assert run.data.tags[names.ORIGIN] == "executed"
