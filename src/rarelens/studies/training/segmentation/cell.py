"""Train one segmentation cell and write its model and record."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.model import (
    ModelCard,
    build_network,
    save_model,
    training_patch,
)
from rarelens.studies.training.loop import Trained
from rarelens.studies.training.run import Observe, Run, Unobserved, train_and_record
from rarelens.studies.training.segmentation.builders import build_terms
from rarelens.studies.training.segmentation.job import Job
from rarelens.studies.training.segmentation.task import SegmentationTask, train


def train_cell(job: Job, data: PreparedDataset, observe: Observe = Unobserved) -> None:
    """Write ``models/…/<cell>/`` and ``records/…/<cell>.json``; the observer is told as it goes."""
    run = Run(
        cell=job.cell,
        identity=job.identity(data),
        parameters=job.as_dict(),
        dataset_digest=data.digest(),
        cases=job.training_cases(data),
        samples=job.settings.batch_size,
        unit=SegmentationTask.unit,
        score=SegmentationTask.score,
        facts=_facts(job, data),
    )

    def save(folder: Path, trained: Trained) -> None:
        save_model(folder, trained.weights, _card(job, data, trained))

    train_and_record(run, partial(train, job, data), save, observe)


def _facts(job: Job, data: PreparedDataset) -> dict[str, float]:
    """What the regularisers say of themselves; the counts of the classes play no part there."""
    if not job.method.regularisers:
        return {}
    network = build_network(job.network, len(data.channels), len(data.classes))
    patch = training_patch(network, job.patch_size)[1]
    terms = build_terms(job.cell.method, job.method, [1] * len(data.classes), job.rare(data))
    return terms.facts(len(data.channels), patch)


def _card(job: Job, data: PreparedDataset, trained: Trained) -> ModelCard:
    return ModelCard(
        dataset=data.name,
        channels=tuple(data.channels),
        classes=tuple(data.classes),
        rare_classes=job.rare(data),
        preprocess=job.preprocess,
        patch_size=job.patch_size,
        network=job.network,
        method=job.method,
        fraction=job.cell.fraction,
        seed=job.cell.seed,
        training_cases=tuple(job.training_cases(data)),
        validation_cases=tuple(data.cases("validation")),
        steps=trained.progress.step,
        gradient_evaluations=trained.progress.gradient_evaluations,
        selected_step=trained.selected_step,
    )
