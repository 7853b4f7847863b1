"""How many epochs a second MLflow's database takes from trainings that run at once.

Each of N processes logs epochs of twelve measures as fast as it can, as trainings do, into one
SQLite file. Prints a Markdown table: ``python benchmarks/tracking_load.py --writers 1 4 16``. With
``MLFLOW_TRACKING_URI`` of a server it is that server's rate.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import mlflow.store.tracking.sqlalchemy_store
import mlflow.tracking

from rarelens.pipeline.tracking.live import LiveRun
from rarelens.studies.cells import Cell

assert mlflow.store.tracking.sqlalchemy_store, mlflow.tracking  # Imported before the forks.
MEASURES = 12


def log(writer: int, epochs: int, ready: Any, found: Any) -> None:
    """One training's epochs; puts the seconds that each took."""
    run = LiveRun({"dataset_digest": "d", "git_commit": "c"}, [])
    cell = Cell("segmentation", "set", "unet", "focal", "1", writer)
    run.start(cell, f"writer{writer}", {"steps": epochs})
    ready.wait()
    taken = []
    for step in range(epochs):
        begun = time.perf_counter()
        run.epoch({"step": step, **{f"margin_train_{c}": step / 7 for c in range(MEASURES)}})
        taken.append(time.perf_counter() - begun)
    found.put(taken)
    run.end("FINISHED")


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--epochs", type=int, default=40, help="of each")
    options = parser.parse_args()
    print("| trainings at once | epochs a second | slowest epoch, s |\n|---|---|---|", flush=True)
    fork = multiprocessing.get_context("fork")
    for number in options.writers:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{Path('load.db')}")
            ready, found = fork.Barrier(number + 1), fork.Queue()
            processes = [
                fork.Process(target=log, args=(writer, options.epochs, ready, found))
                for writer in range(number)
            ]
            for process in processes:
                process.start()
            ready.wait()
            begun = time.perf_counter()
            slowest = max(max(found.get()) for _ in processes)
            rate = number * options.epochs / (time.perf_counter() - begun)
            for process in processes:
                process.join()
            os.chdir("/")
        print(f"| {number} | {rate:.0f} | {slowest:.2f} |", flush=True)


if __name__ == "__main__":
    main()
