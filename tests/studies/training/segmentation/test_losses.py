"""What is prepared, and which passes of a step move the running statistics."""

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


class Recorder:
    """Changes one voxel of each patch, the middle; remembers what it was given."""

    gradient_evaluations = 0

    def facts(self, channels: int, patch: object) -> dict[str, float]:
        return {}

    def prepare(
        self, images: Tensor, labels: Tensor, centres: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        self.given = images.clone(), labels.clone(), centres.copy()
        self.drawn = rng.random()
        images, labels = images.clone(), labels.clone()
        middle = tuple(side // 2 for side in labels.shape[1:])
        images[:, :, *middle], labels[:, *middle] = 7, -100
        return images, labels


@pytest.mark.parametrize(
    "network",
    [
        {"network": "unet", "channels": [4, 8]},
        {"network": "deepmedic", "training_segment": 25, "inference_segment": 25},
    ],
    ids=["whole", "unpadded"],
)
def test_whole_patches_are_prepared_and_then_cropped(
    tiny: PreparedDataset,
    make_job: Callable[..., SegmentationJob],
    monkeypatch: pytest.MonkeyPatch,
    network: dict,
) -> None:
    """A network that loses its border is given the labels of its middle, after the change."""
    task = SegmentationTask(make_job(network=network), tiny)
    plain, recorder, seen = task.batch(1), Recorder(), []

    def losses(network: object, images: Tensor, labels: Tensor, rng: np.random.Generator) -> list:
        seen.append((images, labels, rng.random()))
        return []

    monkeypatch.setattr(task.step_losses, "losses", losses)
    assert list(task.losses(task.network, plain)) == []
    task.step_losses.preparing = [recorder]
    batch = task.batch(1)
    assert list(task.losses(task.network, batch)) == []
    (images, labels, drawn), (new_images, new_labels, drawn_after) = seen
    # Nothing more is carried than a training takes that prepares nothing.
    assert plain.centres is None
    assert plain.target.shape == labels.shape
    assert plain.target.dtype == batch.target.dtype == torch.int8
    given_images, given_labels, centres = recorder.given
    assert given_images.dtype == torch.float32
    assert given_labels.dtype == torch.int64
    assert given_labels.shape == (given_images.shape[0], *given_images.shape[2:])
    assert torch.equal(given_images, images)
    np.testing.assert_array_equal(centres, task.sampler.batch(1).centres)
    border = task.context
    assert (border > 0) == (network["network"] == "deepmedic")
    inner = (slice(None), *[slice(border, side - border) for side in given_labels.shape[1:]])
    assert torch.equal(given_labels[inner], labels)
    # The change has arrived, in the middle of both, and what comes after draws on.
    assert (new_images != images).any(1).sum() == (new_labels != labels).sum() == len(images)
    assert (new_labels == -100).sum() == len(images)
    assert new_labels.is_contiguous()
    assert new_images.is_contiguous(memory_format=torch.channels_last_3d)
    assert recorder.drawn == drawn
    assert drawn_after != drawn
