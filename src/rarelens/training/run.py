"""Train one cell and write its model and record; MLflow is told as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rarelens.cells import Cell
from rarelens.errors import RarelensError
from rarelens.files import refuse_link, whole_folder, write_json
from rarelens.tracking.live import LiveRun
from rarelens.training.checkpoints import Checkpoints
from rarelens.training.loop import Trained
from rarelens.training.progress import Row
from rarelens.training.record import describe_run, git_commit


@dataclass(frozen=True)
class Run:
    """A training, for whoever keeps account of it.

    Attributes:
        cell: which is trained.
        identity: digest of all that the weights depend on.
        parameters: the job's, as plain values.
        dataset_digest: of the prepared dataset.
        cases: ids of what it is trained on.
        samples: in a batch.
        unit: what they are, in the plural.
        score: the history's column of the validation.
        facts: more for the record.
    """

    cell: Cell
    identity: str
    parameters: dict[str, Any]
    dataset_digest: str
    cases: Sequence[str]
    samples: int
    unit: str
    score: str
    facts: dict[str, float]


def train_and_record(
    run: Run,
    train: Callable[[Checkpoints, Callable[[Row], None]], Trained],
    save: Callable[[Path, Trained], None],
) -> None:
    """Write ``models/…/<cell>/`` and ``records/…/<cell>.json``; log to MLflow as it goes.

    Args:
        run: what is trained.
        train: trains it, given its checkpoints and what to call after each epoch.
        save: writes the model into a folder.

    Raises:
        RarelensError: if the model's folder is a symbolic link, and as ``train`` does.
    """
    folder = run.cell.folder("models")
    refuse_link(folder)
    begun = time.perf_counter()
    checkpoints = Checkpoints(run.cell.folder("scratch"), run.identity)
    tags = {"git_commit": git_commit(), "dataset_digest": run.dataset_digest}
    live = LiveRun(tags, run.cases)
    live.start(run.cell, run.identity, run.parameters)
    try:
        trained = train(checkpoints, live.epoch)
    except RarelensError:
        live.end("FAILED")
        raise
    with whole_folder(folder) as target:
        save(target, trained)
        write_history(target, trained.progress.history, run.score)
    seconds = time.perf_counter() - begun
    record = {
        "identity": run.identity,
        "device": trained.device,
        "steps": trained.progress.step,
        "gradient_evaluations": trained.progress.gradient_evaluations,
        **run.facts,
        "parameters": run.parameters,
        **tags,
        **describe_run(seconds, trained.steps_per_second, run.samples, run.unit),
    }
    write_json(run.cell.folder("records").with_suffix(".json"), record)
    live.end("FINISHED")
    checkpoints.clear()


def write_history(folder: Path, rows: Sequence[Row], score: str) -> None:
    """Write ``history.csv``: step, loss, learning rate and score, which may be missing."""
    table = pd.DataFrame(rows, columns=["step", "loss", "learning_rate", score])
    table.to_csv(folder / "history.csv", index=False, float_format="%.9g")
