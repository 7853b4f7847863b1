from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.classification.task import ClassificationTask
from rarelens.studies.training.loop import train
from studies.training.test_sharing import compare


def test_two_processes_train_as_one(
    toy: PreparedImages, make_classification: Callable, tmp_path: Path
) -> None:
    found = []
    for number in (1, 2):
        job = make_classification(processes=number, optimiser="sgd")
        task = partial(ClassificationTask, job, toy)
        checkpoints = Checkpoints(tmp_path / str(number), "job")
        found.append(train(job, task, checkpoints, lambda _: None))
    compare(*found)
