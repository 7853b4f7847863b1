from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.classification.job import ClassificationJob
from rarelens.studies.training.classification.task import ClassificationTask
from rarelens.studies.training.loop import train


def test_a_classifier_ends_in_the_same_bytes_whatever_feeds_it(
    toy: PreparedImages, make_classification: Callable[..., ClassificationJob], tmp_path: Path
) -> None:
    # An objective that is told how far the training is.
    method = {"objective": "sigmoid_ldam", "max_margin": 0.5, "deferred": 0.5}
    jobs = [make_classification(workers=workers, method=method) for workers in (0, 2)]
    trained = [
        train(
            job,
            partial(ClassificationTask, job, toy),
            Checkpoints(tmp_path / str(number), "job"),
            lambda _: None,
        )
        for number, job in enumerate(jobs)
    ]
    one, other = trained
    assert one.progress.history == other.progress.history
    assert all(torch.equal(one.weights[key], other.weights[key]) for key in one.weights)
