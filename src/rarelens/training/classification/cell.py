"""Train one classifier and write its model and record."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rarelens.classifier import ClassifierCard, save_classifier
from rarelens.data.images.prepared import PreparedImages
from rarelens.training.classification.job import ClassificationJob
from rarelens.training.classification.task import ClassificationTask, train
from rarelens.training.loop import Trained
from rarelens.training.run import Run, train_and_record


def train_cell(job: ClassificationJob, data: PreparedImages) -> None:
    """Write ``models/…/<cell>/`` and ``records/…/<cell>.json``; log to MLflow as it goes."""
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

    train_and_record(run, partial(train, job, data), save)


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
