"""Train the head of a trained classifier anew, on frozen features."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from rarelens.components.contracts import Retraining
from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.models.classification.inference import outputs
from rarelens.studies.models.classification.model import (
    ClassifierCard,
    features_of,
    load_classifier,
)
from rarelens.studies.models.storage import WEIGHTS, fix_algorithms
from rarelens.studies.settings.methods import Adjustment
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.classification.builders import build_retraining
from rarelens.studies.training.classification.task import ClassificationTask
from rarelens.studies.training.job import file_digest, identify
from rarelens.studies.training.loop import Trained
from rarelens.studies.training.progress import Progress, Row
from rarelens.studies.training.run import Observe, Run, Unobserved, train_and_record


def retrain_cell(
    cell: Cell,
    settings: Adjustment,
    data: PreparedImages,
    code: str = "",
    observe: Observe = Unobserved,
) -> None:
    """Write the model and record of a cell ``base+adjustment``; the observer is told as it goes.

    Args:
        cell: which.
        settings: of the retraining.
        data: the prepared images that its base was trained on.
        code: digest of the stage's code.
        observe: makes the observer.

    Raises:
        RarelensError: if the base is not trained, or on other data, or the retraining does not
            take its options.
    """
    retraining = build_retraining(cell.method.partition("+")[2], settings)
    fix_algorithms(retraining.threads)
    base = cell.base.folder("models")
    network, card = load_classifier(base)
    _check_images(base, card, data)
    parameters = _parameters(cell, settings, card)
    run = Run(
        cell=cell,
        identity=identify(parameters, data.digest() + file_digest(base / WEIGHTS), code),
        parameters=parameters,
        dataset_digest=data.digest(),
        cases=card.training_images,
        samples=retraining.batch_size,
        unit=ClassificationTask.unit,
        score=ClassificationTask.score,
    )
    adjusted = card.model_copy(update={"adjustment": settings})
    work = partial(_retrain, retraining, network, card, data)
    train_and_record(run, work, lambda _: adjusted, observe)


def _retrain(
    retraining: Retraining,
    network: nn.Module,
    card: ClassifierCard,
    data: PreparedImages,
    _: Checkpoints,
    on_epoch: Callable[[Row], None],
) -> Trained:
    """A new head, and the base's weights for all else; too quick to need checkpoints."""
    rows = data.table.loc[list(card.training_images), "row"].to_numpy(np.int64)
    features = torch.from_numpy(outputs(network, features_of(network), data.images, rows))
    labels = torch.from_numpy(data.labels(rows))
    device = next(network.parameters()).device
    begun = time.perf_counter()
    head, history = retraining(features.to(device), labels.to(device), card.seed)
    seconds = time.perf_counter() - begun
    for row in history:
        on_epoch(row)
    steps = int(history[-1]["step"])
    new = {f"head.{key}": value for key, value in head.state_dict().items()}
    return Trained(
        weights=network.state_dict() | new,
        selected_step=steps,
        progress=Progress(step=steps, gradient_evaluations=steps, history=history),
        steps_per_second=steps / seconds,
        device=str(device),
    )


def _check_images(base: Path, card: ClassifierCard, data: PreparedImages) -> None:
    same = card.classes == tuple(data.classes) and set(card.training_images) <= set(
        data.table.index
    )
    if not same:
        raise RarelensError(
            f"{base}: trained on other images or classes than those of {data.name}; run "
            "`dvc repro` first"
        )


def _parameters(cell: Cell, settings: Adjustment, card: ClassifierCard) -> dict[str, Any]:
    plain = card.model_dump(mode="json", include={"network", "method", "preprocess"})
    return {"cell": asdict(cell), **plain, "adjustment": settings.model_dump(mode="json")}
