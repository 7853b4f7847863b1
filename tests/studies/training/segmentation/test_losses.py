"""Which passes of a step move the running statistics of batch normalisation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarelens.components.networks.unet import UNet
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.settings.methods import Method
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.loop import train
from rarelens.studies.training.segmentation.builders import build_losses
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.task import SegmentationTask

REGULARISERS = {
    "none": {},
    "mixup": {"mixup": {"alpha": 1.0}},
    "adversarial": {"adversarial": {"epsilon": 3.0, "asymmetric": True}},
    "both": {"adversarial": {"epsilon": 3.0}, "mixup": {"alpha": 1.0, "asymmetric": True}},
}


def step(passes: str, regularisers: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Buffers and gradients of a U-Net after the losses of one step."""
    torch.manual_seed(0)
    network = UNet(1, 3, (4, 8)).train()
    method = Method(
        objective="focal", regularisers=REGULARISERS[regularisers], running_statistics=passes
    )
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, 1, 8, 8, 8, generator=generator)
    labels = torch.randint(0, 3, (2, 8, 8, 8), generator=generator)
    losses = build_losses("m", method, [8, 1, 1], [2])
    for loss in losses.losses(network, images, labels, np.random.default_rng(2)):
        loss.backward()
    tracking = [m.track_running_stats for m in network.modules() if isinstance(m, nn.BatchNorm3d)]
    assert tracking
    assert all(tracking)
    return dict(network.named_buffers()), {
        name: parameter.grad
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("regularisers", ["mixup", "adversarial", "both"])
def test_extra_passes_may_leave_the_running_statistics_as_they_are(regularisers: str) -> None:
    clean, clean_gradients = step("all_passes", "none")
    kept, gradients = step("clean_pass", regularisers)
    moved, usual_gradients = step("all_passes", regularisers)
    assert any(key.endswith("running_var") for key in clean)
    assert same(kept, clean)
    assert not same(moved, clean)
    # What is learnt in the step is the same, extra passes included.
    assert same(gradients, usual_gradients)
    assert not same(gradients, clean_gradients)


def test_the_choice_reaches_the_weights_of_a_training(
    tiny: PreparedDataset, make_job: Callable[..., SegmentationJob], tmp_path: Path
) -> None:
    mixup = {"objective": "cross_entropy", "regularisers": REGULARISERS["mixup"]}
    weights = {}
    for passes in ("all_passes", "clean_pass"):
        job = make_job(method=mixup | {"running_statistics": passes}, steps=2, epoch_steps=2)
        make_task = partial(SegmentationTask, job, tiny)
        checkpoints = Checkpoints(tmp_path / passes, "test")
        weights[passes] = train(job, make_task, checkpoints, lambda _: None).weights
    differing = {
        key
        for key, value in weights["clean_pass"].items()
        if not torch.equal(value, weights["all_passes"][key])
    }
    running = {key for key in weights["clean_pass"] if "running" in key or "num_batches" in key}
    assert differing == running
