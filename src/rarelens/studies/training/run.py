"""Train one cell and write its model and record; an observer is told as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd

from rarelens.studies.cells import Cell
from rarelens.studies.files import check_room, refuse_link, whole_folder, write_json
from rarelens.studies.models.storage import Card, write_model
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.job import Job, Prepared
from rarelens.studies.training.loop import Trained
from rarelens.studies.training.progress import Row
from rarelens.studies.training.record import describe_run, git_commit
from rarelens.studies.training.task import Task


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
    facts: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, job: Job, data: Prepared, task: type[Task], facts: dict[str, float]) -> Run:
        """A job's training."""
        return cls(
            cell=job.cell,
            identity=job.identity(data),
            parameters=job.as_dict(),
            dataset_digest=data.digest(),
            cases=job.training_cases(data),
            samples=job.settings.batch_size,
            unit=task.unit,
            score=task.score,
            facts=facts,
        )


class Observer(Protocol):
    """Is told of a training as it goes; no result depends on it."""

    def start(self, cell: Cell, identity: str, parameters: dict[str, Any]) -> None:
        """The training begins, or is taken up again."""

    def epoch(self, row: Row) -> None:
        """A new row of the history."""

    def end(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """The training has ended."""


# Makes one, of tags (git commit, dataset digest) and the ids of the training cases.
Observe = Callable[[dict[str, str], Sequence[str]], Observer]


class Unobserved:
    """An observer that tells nobody."""

    def __init__(self, tags: dict[str, str], cases: Sequence[str]) -> None: ...

    def start(self, cell: Cell, identity: str, parameters: dict[str, Any]) -> None:
        """As `Observer.start`."""

    def epoch(self, row: Row) -> None:
        """As `Observer.epoch`."""

    def end(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """As `Observer.end`."""


def train_and_record(
    run: Run,
    train: Callable[[Checkpoints, Callable[[Row], None]], Trained],
    card: Callable[[Trained], Card],
    observe: Observe,
) -> None:
    """Write ``models/…/<cell>/`` and ``records/…/<cell>.json``.

    Args:
        run: what is trained.
        train: trains it, given its checkpoints and what to call after each epoch.
        card: makes the model's card.
        observe: makes the observer.

    Raises:
        RarelensError: if the model's folder is a symbolic link, and as ``train`` does.
    """
    folder = run.cell.folder("models")
    refuse_link(folder)
    for output in (folder, run.cell.folder("records").with_suffix(".json")):
        check_room(output)
    begun = time.perf_counter()
    checkpoints = Checkpoints(run.cell.folder("scratch"), run.identity)
    tags = {"git_commit": git_commit(), "dataset_digest": run.dataset_digest}
    observer = observe(tags, run.cases)
    observer.start(run.cell, run.identity, run.parameters)
    try:
        trained = train(checkpoints, observer.epoch)
        with whole_folder(folder) as target:
            write_model(target, trained.weights, card(trained))
            write_history(target, trained.progress.history, run.score)
    except Exception:
        observer.end("FAILED")
        raise
    except BaseException:  # Ctrl-C and SIGTERM.
        observer.end("KILLED")
        raise
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
    observer.end("FINISHED")
    checkpoints.clear()


def card_fields(job: Job, data: Prepared, trained: Trained) -> dict[str, Any]:
    """What the cards of both tasks tell of a training."""
    return {
        "dataset": data.name,
        "classes": data.classes,
        "preprocess": job.preprocess,
        "network": job.network,
        "method": job.method,
        "fraction": job.cell.fraction,
        "seed": job.cell.seed,
        "steps": trained.progress.step,
        "selected_step": trained.selected_step,
    }


def write_history(folder: Path, rows: Sequence[Row], score: str) -> None:
    """Write ``history.csv``: step, loss, learning rate, score, which may be missing, and more."""
    columns = dict.fromkeys(["step", "loss", "learning_rate", score])
    columns |= dict.fromkeys(key for row in rows for key in row)
    table = pd.DataFrame(rows, columns=list(columns))
    table.to_csv(folder / "history.csv", index=False, float_format="%.9g")
