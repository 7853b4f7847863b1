"""Train one classifier and write its model and record."""

from __future__ import annotations

from functools import partial

from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.models.classification.model import ClassifierCard
from rarelens.studies.training.classification.job import ClassificationJob
from rarelens.studies.training.classification.task import ClassificationTask
from rarelens.studies.training.loop import Trained, train
from rarelens.studies.training.run import Observe, Run, Unobserved, card_fields, train_and_record


def train_cell(job: ClassificationJob, data: PreparedImages, observe: Observe = Unobserved) -> None:
    """Write ``models/…/<cell>/`` and ``records/…/<cell>.json``; the observer is told as it goes."""
    run = Run.of(job, data, ClassificationTask, {})
    make_task = partial(ClassificationTask, job, data)
    train_and_record(run, partial(train, job, make_task), partial(_card, job, data), observe)


def _card(job: ClassificationJob, data: PreparedImages, trained: Trained) -> ClassifierCard:
    validation = data.table.index[data.table["split"] == "validation"]
    return ClassifierCard(
        **card_fields(job, data, trained),
        channels=data.channels,
        size=data.size,
        mean=data.mean,
        std=data.std,
        adjustment=None,
        training_images=tuple(job.training_cases(data)),
        validation_images=tuple(sorted(validation)),
    )
