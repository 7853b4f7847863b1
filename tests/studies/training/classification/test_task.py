from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from sklearn.metrics import average_precision_score

from rarelens.errors import RarelensError
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.classification import task as module
from rarelens.studies.training.classification.job import ClassificationJob
from rarelens.studies.training.classification.task import ClassificationTask
from rarelens.studies.training.loop import Trained, train

MakeJob = Callable[..., ClassificationJob]
METHODS = read_parameters(Path(__file__).parents[4] / "params.yaml").methods.classification
DEFERRED = {"objective": "sigmoid_ldam", "max_margin": 0.5, "deferred": 0.5}


def run(
    job: ClassificationJob,
    data: PreparedImages,
    scratch: Path,
    on_epoch: Callable = lambda _: None,
) -> Trained:
    make_task = partial(ClassificationTask, job, data)
    return train(job, make_task, Checkpoints(scratch, "test"), on_epoch)


def digest(trained: Trained) -> str:
    """Of the bytes that the weights' file would have, and of the history."""
    plain = {key: value.contiguous() for key, value in trained.weights.items()}
    return hashlib.sha256(save(plain) + repr(trained.progress.history).encode()).hexdigest()


class Killed(BaseException):
    """Like a signal, no `Exception`."""


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_the_toy(
    name: str, toy: PreparedImages, make_classification: MakeJob, tmp_path: Path
) -> None:
    method = METHODS[name].model_dump()
    job = make_classification(method=method, steps=60, epoch_steps=15, batch_size=16)
    history = run(job, toy, tmp_path).progress.history
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    before, after = (history[k]["validation_average_precision"] for k in (0, -1))
    assert after > max(0.85, before - 0.05)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"select": "best"},
        {"method": {"objective": "multi_task"}},
        {"method": DEFERRED},
        {"method": {"objective": "bce", "sampling": "weighted"}, "precision": "bf16"},
        {"gradient_clip": 0.05, "optimiser": "sgd", "checkpoint_epochs": 2},
    ],
    ids=["plain", "best", "learnt", "deferred", "bf16-weighted", "clip-sgd"],
)
def test_a_resumed_training_ends_in_the_same_bytes(
    toy: PreparedImages, make_classification: MakeJob, tmp_path: Path, changes: dict
) -> None:
    job = make_classification(steps=8, **changes)
    unbroken, again = (run(job, toy, tmp_path / name) for name in ("unbroken", "again"))
    rows: list[dict[str, float]] = []

    def kill(_: dict[str, float]) -> None:
        rows.append(_)
        if len(rows) == 3:
            raise Killed

    with pytest.raises(Killed):
        run(job, toy, tmp_path / "broken", kill)
    rows.clear()
    resumed = run(job, toy, tmp_path / "broken", rows.append)
    assert rows == unbroken.progress.history[2:]  # From the checkpoint, not from the beginning.
    assert digest(unbroken) == digest(again) == digest(resumed)
    assert digest(run(make_classification(seed=1, **changes), toy, tmp_path / "x")) != digest(again)


def test_multi_task_learns_its_variances(toy: PreparedImages, make_classification: MakeJob) -> None:
    job = make_classification(method={"objective": "multi_task"}, steps=20)
    made: list[ClassificationTask] = []

    def make() -> ClassificationTask:
        made.append(ClassificationTask(job, toy))
        return made[0]

    checkpoints = Checkpoints(Path("unused"), "x")
    checkpoints.save = lambda _: None
    train(job, make, checkpoints, lambda _: None)
    (variances,) = made[0].objective.parameters()
    assert variances.abs().min() > 0.01


def test_an_objective_is_told_how_far_the_training_is(
    toy: PreparedImages,
    make_classification: MakeJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares: list[float] = []
    build = module.build_objective

    def told(*arguments: object) -> torch.nn.Module:
        objective = build(*arguments)
        objective.progress = shares.append
        return objective

    monkeypatch.setattr(module, "build_objective", told)
    run(make_classification(steps=4), toy, tmp_path)
    assert shares == [0, 0.25, 0.5, 0.75]


def test_methods_see_the_same_images_and_first_weights(
    toy: PreparedImages,
    make_classification: MakeJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []
    augment, build = module.augment, module.build_classifier

    def augmented(*arguments: object) -> np.ndarray:
        seen.append(augment(*arguments).tobytes())
        return augment(*arguments[:2], np.random.default_rng(0))

    def built(*arguments: object) -> torch.nn.Module:
        network = build(*arguments)
        seen.append(save({k: v.contiguous() for k, v in network.state_dict().items()}))
        return network

    monkeypatch.setattr(module, "augment", augmented)
    monkeypatch.setattr(module, "build_classifier", built)
    sights = []
    methods = [{"objective": "bce"}, {"objective": "multi_task"}]
    for method in (*methods, {"objective": "bce", "sampling": "weighted"}):
        seen.clear()
        run(make_classification(method=method, steps=3), toy, tmp_path / str(len(sights)))
        sights.append(tuple(seen))
    assert len(sights[0]) == 1 + 3
    assert sights[0] == sights[1]
    assert sights[2][0] == sights[0][0]
    assert sights[2][1:] != sights[0][1:]


def test_ignored_labels_and_classes_of_one_sign_do_no_harm(
    make_classification: MakeJob, write_images: Callable[..., PreparedImages], tmp_path: Path
) -> None:
    rng = np.random.default_rng([0])
    labels = np.full((72, 3), np.nan)
    labels[:, 0] = rng.integers(0, 2, 72)
    labels[:, 2] = 0
    data = write_images(tmp_path, labels)
    for name in METHODS:
        method = METHODS[name].model_dump()
        trained = run(make_classification(method=method), data, tmp_path / f"scratch/{name}")
        assert all(torch.isfinite(value).all() for value in trained.weights.values())
        assert 0 <= trained.progress.history[-1]["validation_average_precision"] <= 1


def test_ignored_labels_give_no_gradient(
    toy: PreparedImages, make_classification: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = ClassificationTask(make_classification(), toy)
    monkeypatch.setattr(toy, "_labels", np.where(np.arange(3) == 1, np.nan, toy._labels))
    next(task.losses(task.network, task.batch(0))).backward()
    gradient = task.network.head.weight.grad
    assert gradient[1].abs().max() == 0
    assert gradient[[0, 2]].abs().min(1).values.max() > 0


def test_the_score_is_mean_average_precision(
    toy: PreparedImages, make_classification: MakeJob
) -> None:
    task = ClassificationTask(make_classification(), toy)
    rows = toy.rows("validation")
    with torch.no_grad():
        logits = task.network.eval()(torch.from_numpy(toy.images(rows))).numpy()
    labels, scores = toy.labels(rows), []
    for index in range(3):
        known = ~np.isnan(labels[:, index])
        if len(set(labels[known, index])) == 2:
            scores.append(average_precision_score(labels[known, index], logits[known, index]))
    assert task.validate(task.network.train()) == {
        "validation_average_precision": pytest.approx(np.mean(scores))
    }
    assert task.network.training


@pytest.mark.parametrize("changes", [{"select": "best"}, {"patience": 2}])
def test_selection_needs_validation_images(
    make_classification: MakeJob,
    write_images: Callable[..., PreparedImages],
    tmp_path: Path,
    changes: dict,
) -> None:
    data = write_images(tmp_path, np.concatenate([np.eye(3).repeat(16, 0), np.ones((24, 3))]))
    with pytest.raises(RarelensError, match="validation images of both signs of a label, and toy"):
        run(make_classification(**changes), data, tmp_path / "scratch")
    history = run(make_classification(steps=2), data, tmp_path / "scratch").progress.history
    assert set(history[0]) == {"step", "loss", "learning_rate"}


def test_a_loss_that_is_not_finite_names_step_and_images(
    toy: PreparedImages,
    make_classification: MakeJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = toy.images
    job = make_classification(batch_size=2)
    rows = ClassificationTask(job, toy)._rows(1)
    monkeypatch.setattr(toy, "images", lambda r: images(r) * (np.nan if set(r) == set(rows) else 1))
    names = ", ".join(sorted(toy.table.index[rows]))
    with pytest.raises(RarelensError, match=rf"loss is not finite at step 2 \(images {names}\)"):
        run(job, toy, tmp_path)


def test_bf16_trains_to_float32_weights(
    toy: PreparedImages, make_classification: MakeJob, tmp_path: Path
) -> None:
    trained = run(make_classification(precision="bf16", steps=40, epoch_steps=20), toy, tmp_path)
    assert trained.progress.history[-1]["loss"] < trained.progress.history[0]["loss"]
    floats = [value for value in trained.weights.values() if value.is_floating_point()]
    assert {value.dtype for value in floats} == {torch.float32}
