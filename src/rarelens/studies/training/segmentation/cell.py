"""Train one segmentation cell and write its model and record."""

from __future__ import annotations

from functools import partial

from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.model import (
    SegmenterCard,
    build_segmenter,
    training_patch,
)
from rarelens.studies.training.loop import Trained, train
from rarelens.studies.training.run import Observe, Run, Unobserved, card_fields, train_and_record
from rarelens.studies.training.segmentation.builders import build_losses
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.task import SegmentationTask


def train_cell(job: SegmentationJob, data: PreparedDataset, observe: Observe = Unobserved) -> None:
    """Write ``models/…/<cell>/`` and ``records/…/<cell>.json``; the observer is told as it goes."""
    run = Run.of(job, data, SegmentationTask, _facts(job, data))
    make_task = partial(SegmentationTask, job, data)
    train_and_record(run, partial(train, job, make_task), partial(_card, job, data), observe)


def _facts(job: SegmentationJob, data: PreparedDataset) -> dict[str, float]:
    """What the regularisers say of themselves; the counts of the classes play no part there."""
    if not job.method.regularisers:
        return {}
    network = build_segmenter(job.network, len(data.channels), len(data.classes))
    patch = training_patch(network, job.patch_size)[1]
    losses = build_losses(job.cell.method, job.method, [1] * len(data.classes), job.rare(data))
    return losses.facts(len(data.channels), patch)


def _card(job: SegmentationJob, data: PreparedDataset, trained: Trained) -> SegmenterCard:
    return SegmenterCard(
        **card_fields(job, data, trained),
        channels=tuple(data.channels),
        rare_classes=job.rare(data),
        patch_size=job.patch_size,
        training_cases=tuple(job.training_cases(data)),
        validation_cases=tuple(data.cases("validation")),
        gradient_evaluations=trained.progress.gradient_evaluations,
    )
