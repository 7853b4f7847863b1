from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.loop import Trained, train
from rarelens.studies.training.segmentation import task
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.losses import StepLosses

MakeJob = Callable[..., SegmentationJob]
AUGMENTED = {
    "objective": "cross_entropy",
    "regularisers": {
        "augmentation": {"rotation": 15.0, "flip_axes": [0], "weak": 0.3, "asymmetric": True},
        "mixup": {"alpha": 1.0},
    },
}


def run(
    job: SegmentationJob, data: PreparedDataset, scratch: Path, on_epoch: Callable = lambda _: None
) -> Trained:
    make_task = partial(task.SegmentationTask, job, data)
    return train(job, make_task, Checkpoints(scratch, job.identity(data)), on_epoch)


def digest(trained: Trained) -> str:
    """Of the bytes that the weights' file would have."""
    plain = {key: value.contiguous() for key, value in trained.weights.items()}
    return hashlib.sha256(save(plain)).hexdigest()


def equal(one: Trained, other: Trained) -> bool:
    same = [torch.equal(one.weights[key], other.weights[key]) for key in one.weights]
    return all(same) and digest(one) == digest(other) and vars_of(one) == vars_of(other)


def vars_of(trained: Trained) -> tuple:
    progress = trained.progress
    return (
        progress.step, progress.gradient_evaluations, progress.history, progress.best_score,
        progress.best_step, trained.selected_step,
    )  # fmt: skip


class Killed(BaseException):
    """Like a signal, no `Exception`."""


def kill_after(epochs: int) -> Callable[[dict[str, float]], None]:
    seen = []

    def on_epoch(row: dict[str, float]) -> None:
        seen.append(row)
        if len(seen) == epochs:
            raise Killed

    return on_epoch


def test_the_loss_falls(tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path) -> None:
    history = run(make_job(steps=60, epoch_steps=20), tiny, tmp_path).progress.history
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]


def test_real_images_are_learnt(
    hippocampus: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    job = make_job(dataset="hippocampus", steps=60, epoch_steps=30, patch_size=(24, 24, 24))
    history = run(job, hippocampus, tmp_path).progress.history
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    assert job.rare(hippocampus) == (1, 2)


def test_same_job_same_weights_and_history(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    first, again, other = (
        run(make_job(seed=seed), tiny, tmp_path / str(n)) for n, seed in enumerate((0, 0, 1))
    )
    assert equal(first, again)
    assert digest(first) != digest(other)
    assert first.progress.history != other.progress.history


@pytest.mark.parametrize("killed_after", [1, 2])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"select": "best"},
        {"gradient_clip": 0.05, "optimiser": "sgd", "schedule": "cosine"},
        {"network": {"network": "unet", "channels": [4, 8], "dropout": 0.3}},
        {"checkpoint_epochs": 2, "patience": 2},
        {"method": {"objective": "focal", "asymmetric": True}, "precision": "bf16"},
        {"method": AUGMENTED},
        {"method": AUGMENTED, "precision": "bf16"},
    ],
    ids=[
        "plain",
        "best",
        "clip-sgd-cosine",
        "dropout",
        "patience",
        "bf16",
        "augmented",
        "augmented-bf16",
    ],
)
def test_a_resumed_training_ends_in_the_same_bytes(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path, changes: dict, killed_after: int
) -> None:
    job = make_job(steps=7, **changes)
    unbroken = run(job, tiny, tmp_path / "unbroken")
    with pytest.raises(Killed):
        run(job, tiny, tmp_path / "broken", kill_after(killed_after + 1))
    rows: list[dict[str, float]] = []
    resumed = run(job, tiny, tmp_path / "broken", rows.append)
    assert equal(resumed, unbroken)
    # It went on from its last checkpoint, not from the beginning.
    every = changes.get("checkpoint_epochs", 1)
    done = killed_after // every * every
    assert rows == unbroken.progress.history[done:]


def test_a_training_whose_checkpoint_is_damaged_starts_anew_and_ends_in_the_same_bytes(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    job = make_job(steps=7)
    unbroken = run(job, tiny, tmp_path / "unbroken")
    with pytest.raises(Killed):
        run(job, tiny, tmp_path / "broken", kill_after(3))
    (file,) = (tmp_path / "broken").rglob("state.pt")
    file.write_bytes(file.read_bytes()[:-1])
    rows: list[dict[str, float]] = []
    assert equal(run(job, tiny, tmp_path / "broken", rows.append), unbroken)
    assert rows == unbroken.progress.history


def test_killed_in_the_middle_of_an_epoch(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(network={"network": "unet", "channels": [4, 8], "dropout": 0.3})
    unbroken = run(job, tiny, tmp_path / "unbroken")
    original = PatchSampler.batch

    def batch(self: PatchSampler, step: int) -> object:
        if step == 3:
            raise Killed
        return original(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(PatchSampler, "batch", batch)
        with pytest.raises(Killed):
            run(job, tiny, tmp_path / "broken")
    assert equal(run(job, tiny, tmp_path / "broken"), unbroken)


def test_steps_and_gradient_evaluations_are_counted(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    trained = run(make_job(steps=7, epoch_steps=3), tiny, tmp_path)
    assert [row["step"] for row in trained.progress.history] == [3, 6, 7]
    assert trained.progress.step == trained.progress.gradient_evaluations == 7
    assert trained.selected_step == 7


def test_history_holds_the_learning_rate_after_each_epoch(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    history = run(make_job(steps=4), tiny, tmp_path).progress.history
    assert [row["learning_rate"] for row in history] == pytest.approx([0.01 * 0.5**0.9, 0])


@pytest.fixture
def dice(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Validation Dice to come, one an epoch."""
    values: list[float] = []
    monkeypatch.setattr(task, "validation_dice", lambda *_: values.pop(0))
    return values


def test_patience_stops_early(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path, dice: list[float]
) -> None:
    dice += [0.2, 0.5, 0.4, 0.5, 0.9]
    trained = run(make_job(steps=40, patience=2), tiny, tmp_path)
    assert trained.progress.step == 8  # An equal Dice is no better one.
    assert dice == [0.9]
    assert trained.selected_step == 8


def test_select_best_keeps_the_weights_of_the_best_epoch(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path, dice: list[float]
) -> None:
    dice += [0.2, 0.5, 0.4, 0.2, 0.5]
    best = run(make_job(schedule="constant", select="best"), tiny, tmp_path / "best")
    short = run(make_job(schedule="constant", steps=4), tiny, tmp_path / "short")
    assert best.selected_step == 4
    assert digest(best) == digest(short)
    assert best.progress.step == 6


@pytest.mark.parametrize("changes", [{"select": "best"}, {"patience": 3}])
def test_select_best_and_patience_need_validation_cases(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path, changes: dict
) -> None:
    data = PreparedDataset(tiny.folder)
    data.table = data.table.replace({"split": {"validation": "unused"}})
    with pytest.raises(RarelensError, match=r"need validation cases, and tiny has none; set"):
        run(make_job(**changes), data, tmp_path)
    history = run(make_job(steps=2), data, tmp_path).progress.history
    assert "validation_dice" not in history[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_fp16_without_gpu_is_refused(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    with pytest.raises(RarelensError, match="fp16 needs a GPU, and there is none; use bf16 or no"):
        run(make_job(precision="fp16"), tiny, tmp_path)


def test_bf16_trains_to_float32_weights(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    trained = run(make_job(precision="bf16", steps=40, epoch_steps=20), tiny, tmp_path / "16")
    assert trained.progress.history[-1]["loss"] < trained.progress.history[0]["loss"]
    floats = [value for value in trained.weights.values() if value.is_floating_point()]
    assert {value.dtype for value in floats} == {torch.float32}


def test_a_loss_that_is_not_finite_names_the_cases(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of data too large to be held against their digests.
    monkeypatch.setattr("rarelens.studies.data.prepared.CHECKED", 0)
    job = make_job()
    broken = job.training_cases(tiny)[0]
    shutil.copytree(tiny.folder, tmp_path / "data")
    array = np.full_like(tiny.image(broken), np.inf)
    np.save(tmp_path / f"data/images/{broken}.npy", array)
    with pytest.raises(RarelensError, match=rf"loss is not finite at step \d \(cases .*{broken}"):
        run(job, PreparedDataset(tmp_path / "data"), tmp_path / "scratch")


class InfiniteGradient(torch.nn.Module):
    """Zero, by a root whose gradient there is not finite."""

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (logits * 0).abs().sqrt().sum()


@pytest.mark.parametrize("changes", [{}, {"gradient_clip": 1.0}], ids=["unclipped", "clipped"])
@pytest.mark.parametrize("separate", [False, True])
def test_a_gradient_that_is_not_finite_names_the_cases(
    tiny: PreparedDataset,
    make_job: MakeJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict,
    separate: bool,
) -> None:
    objective = InfiniteGradient()
    monkeypatch.setattr(task, "build_losses", lambda *_: StepLosses(objective, objective, []))
    job = make_job(method={"objective": "focal", "separate_steps": separate}, **changes)
    with pytest.raises(RarelensError, match=r"gradient is not finite at step 1 \(cases tiny_"):
        run(job, tiny, tmp_path)


def test_methods_of_one_seed_see_the_same_patches_and_initial_weights(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    original, build = PatchSampler.batch, task.build_segmenter

    def batch(self: PatchSampler, step: int) -> object:
        result = original(self, step)
        seen.append(hashlib.sha256(result.images.tobytes() + result.labels.tobytes()).hexdigest())
        return result

    def build_network(*arguments: object) -> torch.nn.Module:
        network = build(*arguments)
        plain = {key: value.contiguous() for key, value in network.state_dict().items()}
        seen.append(hashlib.sha256(save(plain)).hexdigest())
        return network

    monkeypatch.setattr(PatchSampler, "batch", batch)
    monkeypatch.setattr(task, "build_segmenter", build_network)
    methods = (
        {"objective": "cross_entropy"},
        {"objective": "large_margin", "asymmetric": True},
        {"objective": "weighted_cross_entropy"},
        {"objective": "cross_entropy", "foreground_share": 0.0},
    )
    sights = []
    for number, method in enumerate(methods):
        seen.clear()
        run(make_job(method=method, steps=4), tiny, tmp_path / str(number))
        sights.append(tuple(seen))
    assert len(sights[0]) == 1 + 4
    assert sights[0] == sights[1] == sights[2]
    assert sights[3][0] == sights[0][0]
    assert sights[3][1:] != sights[0][1:]  # Its own share of foreground patches.


def test_asymmetric_and_symmetric_forms_train_differently(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    symmetric, asymmetric = (
        run(make_job(method={"objective": "focal", "asymmetric": flag}), tiny, tmp_path / str(flag))
        for flag in (False, True)
    )
    assert digest(symmetric) != digest(asymmetric)
