"""Train one segmentation cell and write its model and record."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

from rarelens.components.regularisers.adversarial import Adversarial
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.model import (
    ModelCard,
    build_network,
    save_model,
    training_patch,
)
from rarelens.studies.training.loop import Trained
from rarelens.studies.training.run import Observe, Run, Unobserved, train_and_record
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
        facts=_perturbation(job, data),
    )

    def save(folder: Path, trained: Trained) -> None:
        save_model(folder, trained.weights, _card(job, data, trained))

    train_and_record(run, partial(train, job, data), save, observe)


def _perturbation(job: Job, data: PreparedDataset) -> dict[str, float]:
    """ε/√N of adversarial training: its ε is of a whole patch, and so depends on the patch size."""
    regulariser = job.method.regularisers.get("adversarial")
    if regulariser is None:
        return {}
    network = build_network(job.network, len(data.channels), len(data.classes))
    voxels = len(data.channels) * math.prod(training_patch(network, job.patch_size)[1])
    epsilon = regulariser.options.get("epsilon", Adversarial(rare_classes=None).epsilon)
    return {"epsilon_per_voxel": epsilon / math.sqrt(voxels)}


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
