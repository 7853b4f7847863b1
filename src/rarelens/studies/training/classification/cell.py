"""Train one classifier and write its model and record."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.models.classification.classifier import ClassifierCard, save_classifier
from rarelens.studies.training.classification.job import ClassificationJob
from rarelens.studies.training.classification.task import ClassificationTask, train
from rarelens.studies.training.loop import Trained
from rarelens.studies.training.run import Observe, Run, Unobserved, train_and_record


def train_cell(job: ClassificationJob, data: PreparedImages, observe: Observe = Unobserved) -> None:
    """Write ``models/…/<cell>/`` and ``records/…/<cell>.json``; the observer is told as it goes."""
    run = Run(
        cell=job.cell,
        identity=job.identity(data),
        parameters=job.as_dict(),
        dataset_digest=data.digest(),
        cases=job.training_images(data),
        samples=job.settings.batch_size,
        unit=ClassificationTask.unit,
        score=ClassificationTask.score,
        facts={},
    )

    def save(folder: Path, trained: Trained) -> None:
        save_classifier(folder, trained.weights, _card(job, data, trained))

    train_and_record(run, partial(train, job, data), save, observe)


def _card(job: ClassificationJob, data: PreparedImages, trained: Trained) -> ClassifierCard:
    validation = data.table.index[data.table["split"] == "validation"]
    return ClassifierCard(
        dataset=data.name,
        classes=tuple(data.classes),
        channels=data.channels,
        size=data.size,
        mean=data.mean,
        std=data.std,
        preprocess=job.preprocess,
        network=job.network,
        method=job.method,
        adjustment=None,
        fraction=job.cell.fraction,
        seed=job.cell.seed,
        training_images=tuple(job.training_images(data)),
        validation_images=tuple(sorted(validation)),
        steps=trained.progress.step,
        selected_step=trained.selected_step,
    )
