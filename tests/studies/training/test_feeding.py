"""Batches from processes of their own, and losses read late: what a GPU asks for, on a CPU."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.training import feeding, loop
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.feeding import AUTO, batches, processes
from rarelens.studies.training.loop import Trained, train
from rarelens.studies.training.readings import Readings
from rarelens.studies.training.segmentation import task
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.losses import StepLosses
from rarelens.studies.training.segmentation.task import SegmentationTask
from rarelens.studies.training.task import Batch

MakeJob = Callable[..., SegmentationJob]
CPU = torch.device("cpu")
# Draws before the first pass (augmentation) and after it (mixup).
DRAWING = {
    "objective": "cross_entropy",
    "regularisers": {"augmentation": {"rotation": 15.0}, "mixup": {"alpha": 1.0}},
}
DROPOUT = {"network": "unet", "channels": [4, 8], "dropout": 0.3}


def values(batch: Batch) -> tuple:
    arrays = (batch.images.numpy(), batch.target.numpy(), batch.centres)
    state = json.dumps(batch.rng.bit_generator.state)
    return batch.step, *(a.dtype for a in arrays), *(a.tobytes() for a in arrays), state


def run(
    job: SegmentationJob, data: PreparedDataset, scratch: Path, on_epoch: Callable = lambda _: None
) -> Trained:
    return train(job, partial(SegmentationTask, job, data), Checkpoints(scratch, "job"), on_epoch)


def result(trained: Trained) -> tuple:
    plain = {key: value.contiguous() for key, value in trained.weights.items()}
    return hashlib.sha256(save(plain)).hexdigest(), trained.progress.history


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("first", [0, 3])
def test_a_step_has_the_same_batch_whatever_makes_it(
    tiny: PreparedDataset, make_job: MakeJob, workers: int, first: int, two_threads: None
) -> None:
    task = SegmentationTask(make_job(method=DRAWING), tiny)
    with closing(batches(task, range(first, 6), workers, CPU)) as feed:
        found = [values(batch) for batch in feed]
    assert found == [values(task.batch(step)) for step in range(first, 6)]
    assert len(set(found)) == len(found)


def states() -> tuple:
    state: tuple = np.random.get_state()  # noqa: NPY002
    return random.getstate(), state[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_the_random_state_of_the_training_is_left_alone(
    tiny: PreparedDataset, make_job: MakeJob, workers: int
) -> None:
    task, before = SegmentationTask(make_job(method=DRAWING), tiny), states()
    with closing(batches(task, range(3), workers, CPU)) as feed:
        assert len(list(feed)) == 3
    assert states() == before


def test_closing_ends_the_processes(tiny: PreparedDataset, make_job: MakeJob) -> None:
    before = set(multiprocessing.active_children())
    feed = batches(SegmentationTask(make_job(), tiny), range(1000), 2, CPU)
    next(feed)
    assert len(set(multiprocessing.active_children()) - before) == 2
    feed.close()
    assert set(multiprocessing.active_children()) == before


def test_processes_are_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for cores in (1, 2, 64):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: set(range(n)))
        assert processes(CPU) == 0
        found.append(processes(torch.device("cuda")))
    assert found == [0, 1, AUTO]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(processes, (torch.device("cuda"),)) == 0


def test_a_training_ends_in_the_same_bytes_whatever_feeds_it(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    changes = {"method": DRAWING, "network": DROPOUT, "threads": 2}
    jobs = [make_job(workers=workers, **changes) for workers in (0, 2, None)]
    results = [result(run(job, tiny, tmp_path / str(n))) for n, job in enumerate(jobs)]
    assert results[0] == results[1] == results[2]
    assert len({job.identity(tiny) for job in jobs}) == 1


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Losses are read as on a GPU."""
    monkeypatch.setattr(loop, "Readings", lambda _, refuse: Readings(False, refuse))


@pytest.mark.parametrize("separate", [False, True])
def test_losses_that_are_read_late_are_the_same(
    tiny: PreparedDataset,
    make_job: MakeJob,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    separate: bool,
) -> None:
    method = {**DRAWING, "separate_steps": separate}
    job = make_job(method=method, steps=7, gradient_clip=0.1)
    at_once = result(run(job, tiny, tmp_path / "at_once"))
    request.getfixturevalue("late")
    assert result(run(job, tiny, tmp_path / "late")) == at_once


class Worsening(torch.nn.Module):
    """A loss that is not finite from its fourth call on; or whose gradient is not."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what, self.calls = what, 0

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if self.calls < 4:
            return logits.square().mean()
        if self.what == "loss":
            return logits.mean() * torch.nan
        return (logits * 0).abs().sqrt().sum()


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_is_told_before_anything_is_saved(
    tiny: PreparedDataset,
    make_job: MakeJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    late: None,
    what: str,
) -> None:
    objective, rows = Worsening(what), []
    monkeypatch.setattr(task, "build_losses", lambda *_: StepLosses(objective, objective, []))
    job = make_job(epoch_steps=3, steps=9)
    with pytest.raises(RarelensError, match=rf"the {what} is not finite at step 4 \(cases tiny_"):
        run(job, tiny, tmp_path, rows.append)
    # The second epoch ran to its end, and left nothing.
    assert objective.calls == 6
    assert [row["step"] for row in rows] == [3]
    state = Checkpoints(tmp_path, "job").resume()
    assert state is not None
    assert state["progress"]["step"] == 3


def test_a_training_killed_beside_its_processes_ends_in_the_same_bytes(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    job = make_job(method=DRAWING, network=DROPOUT, steps=8, workers=2)
    unbroken = result(run(job, tiny, tmp_path / "unbroken"))
    children = tmp_path / "children"

    def kill(row: dict[str, float]) -> None:
        if row["step"] == 6:
            children.write_text(" ".join(str(p.pid) for p in multiprocessing.active_children()))
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(
        target=run, args=(job, tiny, tmp_path / "broken", kill)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    rows: list[dict[str, float]] = []
    assert result(run(job, tiny, tmp_path / "broken", rows.append)) == unbroken
    assert [row["step"] for row in rows] == [6, 8]
    pids = list(map(int, children.read_text().split()))
    assert len(pids) == 2
    # What made batches for the killed training has noticed, and ended.
    for _ in range(300):
        pids = [pid for pid in pids if Path(f"/proc/{pid}/cmdline").is_file() and alive(pid)]
        if not pids:
            break
        time.sleep(0.1)
    assert pids == []


def alive(pid: int) -> bool:
    """Neither gone nor a zombie that nobody waits for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_in_the_data_is_one_sentence_from_any_process(workers: int) -> None:
    class Broken:
        def batch(self, step: int) -> Batch:
            raise RarelensError(f"case a, step {step}: damaged", "prepare it again")

    feed = batches(Broken(), range(2), workers, CPU)
    with closing(feed), pytest.raises(RarelensError) as found:
        next(feed)
    assert found.value.problems == ("case a, step 0: damaged", "prepare it again")


def test_a_worker_that_dies_is_told_with_what_to_do() -> None:
    class Dying:
        def batch(self, step: int) -> Batch:
            os.kill(os.getpid(), signal.SIGBUS)
            raise AssertionError

    feed = batches(Dying(), range(2), 1, CPU)
    with closing(feed), pytest.raises(RarelensError, match=r"has ended: .*set workers: 0"):
        next(feed)


def test_little_shared_memory_means_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"total": 2**26})
    monkeypatch.setattr(feeding.shutil, "disk_usage", lambda _: usage)
    assert processes(torch.device("cuda")) == 0
    usage.total = 2**30
    monkeypatch.setattr(feeding, "_cores", lambda: 16)
    assert processes(torch.device("cuda")) == AUTO
