"""Every method of params.yaml trains: on real volumes, with the U-Net; some with DeepMedic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.loop import train
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.task import SegmentationTask

PARAMETERS = read_parameters(Path(__file__).parents[4] / "params.yaml")
METHODS = PARAMETERS.methods.segmentation
SMALL_DEEPMEDIC = {
    "network": "deepmedic",
    "widths": [4] * 8,
    "factors": [1, 3],
    "hidden": [8],
    "training_segment": 25,
    "inference_segment": 31,
}


def history(job: SegmentationJob, data: PreparedDataset, scratch: Path) -> list[float]:
    losses: list[float] = []
    checkpoints = Checkpoints(scratch, "test")
    make_task = partial(SegmentationTask, job, data)
    train(job, make_task, checkpoints, lambda row: losses.append(row["loss"]))
    return losses


@pytest.mark.parametrize("name", METHODS)
def test_loss_falls_with_the_u_net(
    name: str,
    make_job: Callable[..., SegmentationJob],
    hippocampus: PreparedDataset,
    tmp_path: Path,
) -> None:
    method = METHODS[name].model_dump()
    job = make_job(
        method=method, dataset=hippocampus.name, steps=24, epoch_steps=4, patch_size=(16, 16, 16)
    )
    losses = history(job, hippocampus, tmp_path)
    assert np.mean(losses[-2:]) < np.mean(losses[:1])


@pytest.mark.parametrize("name", ["cross_entropy", "asymmetric_combination"])
def test_loss_falls_with_deepmedic(
    name: str,
    make_job: Callable[..., SegmentationJob],
    hippocampus: PreparedDataset,
    tmp_path: Path,
) -> None:
    method = METHODS[name].model_dump()
    job = make_job(
        method=method, network=SMALL_DEEPMEDIC, dataset=hippocampus.name, steps=12, epoch_steps=3
    )
    losses = history(job, hippocampus, tmp_path)
    assert losses[-1] < losses[0]
