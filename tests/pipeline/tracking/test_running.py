"""Runs that a kill left open are closed, and no others."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.tracking.project import BCE, leave
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.live import LiveRun
from rarelens.pipeline.tracking.mirror import Synced, sync, sync_and_report
from rarelens.pipeline.tracking.running import RUNNING

Runs = Callable[..., list[Any]]
TRAINING = """
import time
from rarelens.studies.cells import Cell
from rarelens.pipeline.tracking.live import LiveRun

run = LiveRun({"dataset_digest": "d", "git_commit": "c"}, [])
run.start(Cell("classification", "smears", "light_cnn", "bce", "1", 7), "id7", {"a": 1})
run.epoch({"step": 1, "loss": 0.5})
print("logged", flush=True)
time.sleep(600)
"""


def test_a_killed_training_s_run_is_closed_and_a_living_one_s_is_left(
    project: Path, runs: Runs
) -> None:
    living = LiveRun({"dataset_digest": "d", "git_commit": "c"}, [])
    living.start(BCE, "living", {})
    killed = subprocess.Popen([sys.executable, "-c", TRAINING], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "logged\n"
    assert sync([]).killed == 0
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert sync_and_report([]).endswith("\n1 of them had been killed in training: closed")
    found = {run.data.tags[names.IDENTITY]: run for run in runs()}
    assert found["living"].info.status == "RUNNING"
    assert found["id7"].info.status == "KILLED"
    # It ended with the last that it logged, and not now.
    assert found["id7"].info.end_time == found["id7"].data._metric_objs[0].timestamp
    assert sync([]) == Synced(current=0, stale=3, absent=0)
    living.end("FINISHED")
    assert list(RUNNING.iterdir()) == []


def test_a_run_of_another_machine_is_left_as_it_is(project: Path, runs: Runs) -> None:
    run = LiveRun({"dataset_digest": "d", "git_commit": "c"}, [])
    run.start(BCE, "elsewhere", {})
    (RUNNING / "elsewhere").unlink()
    sync([])
    assert runs()[0].info.status == "RUNNING"
    run.end("KILLED")


def test_a_killed_training_that_is_taken_up_again_ends_as_any(project: Path, runs: Runs) -> None:
    leave(BCE)
    for status in ("KILLED", "FINISHED"):
        run = LiveRun({"dataset_digest": "d", "git_commit": "c"}, [])
        run.start(BCE, "identity-bce-0", {"a": 1})
        run.end(status)
    assert [run.info.status for run in runs()] == ["FINISHED"]
