"""Train one cell and write its model and record."""

from __future__ import annotations

import math
import time

import pandas as pd

from rarelens.data.prepared import PreparedDataset
from rarelens.errors import RarelensError
from rarelens.files import refuse_link, whole_folder, write_json
from rarelens.model import ModelCard, build_network, save_model, training_patch
from rarelens.regularisers.adversarial import Adversarial
from rarelens.tracking.live import LiveRun
from rarelens.training.checkpoints import Checkpoints
from rarelens.training.job import Job
from rarelens.training.loop import Trained, train
from rarelens.training.record import describe_run, git_commit

HISTORY = ("step", "loss", "learning_rate", "validation_dice")


def train_cell(job: Job, data: PreparedDataset) -> None:
    """Write ``models/…/<cell>/`` and ``records/…/<cell>.json``; log to MLflow as it goes."""
    folder, record = job.cell.folder("models"), job.cell.folder("records").with_suffix(".json")
    refuse_link(folder)
    begun = time.perf_counter()
    identity = job.identity(data)
    checkpoints = Checkpoints(job.cell.folder("scratch"), identity)
    tags = {"git_commit": git_commit(), "dataset_digest": data.digest()}
    live = LiveRun(tags, job.training_cases(data))
    live.start(job.cell, identity, job.as_dict())
    try:
        trained = train(job, data, checkpoints, live.epoch)
    except RarelensError:
        live.end("FAILED")
        raise
    with whole_folder(folder) as target:
        save_model(target, trained.weights, _card(job, data, trained))
        history = pd.DataFrame(trained.progress.history, columns=list(HISTORY))
        history.to_csv(target / "history.csv", index=False, float_format="%.9g")
    seconds = time.perf_counter() - begun
    details = describe_run(seconds, trained.steps_per_second, job.settings.batch_size)
    progress = trained.progress
    write_json(
        record,
        {
            "identity": identity,
            "device": trained.device,
            "steps": progress.step,
            "gradient_evaluations": progress.gradient_evaluations,
            **_perturbation(job, data),
            "parameters": job.as_dict(),
            **tags,
            **details,
        },
    )
    live.end("FINISHED")
    checkpoints.clear()


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
        validation_cases=tuple(data.subjects("validation")),
        steps=trained.progress.step,
        gradient_evaluations=trained.progress.gradient_evaluations,
        selected_step=trained.selected_step,
    )
