"""Margins on fixed patches: their values, and that the training does not notice them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.training.run import write_history
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.fixed import RESERVED_STEP, FixedPatches
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.task import SegmentationTask
from studies.training.interruption import interrupted

MakeJob = Callable[..., SegmentationJob]
PATCH = (16, 16, 16)


@pytest.fixture(autouse=True)
def here(offline: Path) -> Path:
    """The project folder that all is written to."""
    return offline


def columns(*sides: str) -> set[str]:
    return {
        f"{m}_{side}_{c}" for m in ("margin", "misclassified") for side in sides for c in range(3)
    }


def trained(job: SegmentationJob, data: PreparedDataset) -> tuple[dict, pd.DataFrame]:
    train_cell(job, data)
    folder = job.cell.folder("models")
    return load_file(folder / "weights.safetensors"), pd.read_csv(folder / "history.csv")


@pytest.mark.parametrize("context", [0, 2])
def test_margins_are_those_of_the_patches(tiny: PreparedDataset, context: int) -> None:
    cases = tiny.cases("pool")
    torch.manual_seed(0)
    middle = slice(context, -context or None)

    class Cropping(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Conv3d(2, 3, 1), torch.nn.BatchNorm3d(3))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.layers(images)[..., middle, middle, middle]

    network = Cropping().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random = torch.get_rng_state()
    found = FixedPatches(tiny, cases, PATCH, 5, 3, context).margins(network, "train", 2)
    assert network.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())

    batch = PatchSampler(tiny, cases, PATCH, 5, 1.0, 3, context).batch(RESERVED_STEP)
    assert (batch.centres > 0).all()
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy(batch.images)).numpy()
    labels = batch.labels[:, middle, middle, middle]
    for c in range(3):
        true = np.moveaxis(logits, 1, -1)[labels == c]
        margins = true[:, c] - np.sort(np.delete(true, c, axis=1), axis=1)[:, -1]
        assert found[f"margin_train_{c}"] == pytest.approx(margins.mean(dtype=float), abs=1e-5)
        assert found[f"misclassified_train_{c}"] == pytest.approx((margins < 0).mean())
    assert set(found) == columns("train")


def test_training_is_the_same_with_them(tiny: PreparedDataset, make_job: MakeJob) -> None:
    network = {"network": "unet", "channels": [4, 8], "dropout": 0.3, "norm": "batch"}
    without, plain = trained(make_job(network=network), tiny)
    weights, history = trained(make_job(network=network, margin_patches=3), tiny)
    assert all(torch.equal(weights[key], value) for key, value in without.items())
    pd.testing.assert_frame_equal(history[list(plain)], plain)
    assert set(history) - set(plain) == columns("train", "validation")
    assert history.notna().all(axis=None)
    assert history["margin_train_1"].nunique() == 3


def test_a_resumed_training_keeps_its_margins(
    tiny: PreparedDataset, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, unbroken = trained(make_job(margin_patches=3), tiny)
    with interrupted(monkeypatch):
        train_cell(make_job(margin_patches=3), tiny)
    _, resumed = trained(make_job(margin_patches=3), tiny)
    pd.testing.assert_frame_equal(resumed, unbroken)


def test_patches_are_the_same_for_all_methods(tiny: PreparedDataset, make_job: MakeJob) -> None:
    other = {"objective": "focal", "foreground_share": 0.0, "foreground_jitter": 1.0}
    jobs = make_job(margin_patches=3), make_job(margin_patches=3, method=other, batch_size=1)
    one, two = (SegmentationTask(job, tiny).fixed for job in jobs)
    for side in ("train", "validation"):
        np.testing.assert_array_equal(one[side].images, two[side].images)


def test_without_validation_cases_only_training_s(tiny: PreparedDataset, make_job: MakeJob) -> None:
    data = PreparedDataset(tiny.folder)
    data.table = data.table.replace({"split": {"validation": "unused"}})
    task = SegmentationTask(make_job(margin_patches=2), data)
    assert set(task.validate(task.network)) == columns("train")


def test_a_class_without_voxels_has_an_empty_field(tmp_path: Path) -> None:
    row = {"step": 1, "loss": 0.5, "learning_rate": 0.1, "margin_train_0": float("nan")}
    write_history(tmp_path, [row], "score")
    expected = "step,loss,learning_rate,score,margin_train_0\n1,0.5,0.1,,\n"
    assert (tmp_path / "history.csv").read_text() == expected
