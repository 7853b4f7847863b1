"""A training that two processes share ends as that of one; both are real, on the CPU, by gloo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from folders import digests
from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.training import followers, loop
from rarelens.studies.training.followers import shared
from rarelens.studies.training.loop import Trained
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.sharing import Share
from studies.training.interruption import interrupted
from studies.training.test_feeding import run

MakeJob = Callable[..., SegmentationJob]

PLAIN = {"method": {"objective": "cross_entropy"}}
# Everything that looks at a whole batch, and not at one patch after the other.
WHOLE = {
    "method": {
        "objective": "dice_cross_entropy",
        "regularisers": {
            "augmentation": {"asymmetric": True},
            "mixup": {"asymmetric": True},
            "adversarial": {"asymmetric": True, "epsilon": 2.0},
        },
    }
}
SEPARATE = {
    "method": {
        "objective": "focal",
        "asymmetric": True,
        "regularisers": {"mixup": {"normalise": "counted"}},
        "separate_steps": True,
    },
    "network": {"network": "unet", "channels": [4, 8], "norm": "instance"},
    "gradient_clip": 0.5,
    "select": "best",
    # Forked in each of the processes.
    "workers": 1,
}


def compare(one: Trained, two: Trained) -> None:
    pd.testing.assert_frame_equal(
        pd.DataFrame(one.progress.history), pd.DataFrame(two.progress.history), rtol=1e-4
    )
    assert list(one.weights) == list(two.weights)
    for name, values in one.weights.items():
        torch.testing.assert_close(two.weights[name], values, rtol=1e-3, atol=1e-4)


# In half precision two orders of a sum are further apart than any history should be compared.
def test_three_processes_and_half_precision(
    tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    one, three = (
        run(make_job(processes=n, batch_size=3, precision="bf16", steps=2), tiny, tmp_path / str(n))
        for n in (1, 3)
    )
    losses = [each.progress.history[0]["loss"] for each in (one, three)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


@pytest.mark.parametrize("changes", [PLAIN, WHOLE, SEPARATE], ids=["plain", "whole", "separate"])
def test_two_processes_train_as_one(
    changes: dict, tiny: PreparedDataset, make_job: MakeJob, tmp_path: Path
) -> None:
    settings = {"optimiser": "sgd", "margin_patches": 4, "patience": 3, **changes}
    one, two = (
        run(make_job(processes=number, **settings), tiny, tmp_path / str(number))
        for number in (1, 2)
    )
    compare(one, two)
    losses = [row["loss"] for row in one.progress.history]
    assert len(set(losses)) == len(losses) == 3


def test_what_two_processes_left_is_gone_on_with_to_the_same_bytes(
    tiny: PreparedDataset, make_job: MakeJob, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(processes=2)
    with interrupted(monkeypatch):
        train_cell(job, tiny)
    assert list(job.cell.folder("scratch").glob("*/1/state.pt"))
    train_cell(job, tiny)
    resumed = digests(job.cell.folder("models"))
    train_cell(job, tiny)
    assert digests(job.cell.folder("models")) == resumed
    assert not job.cell.folder("scratch").exists()
    assert job.identity(tiny) != make_job().identity(tiny)


def test_random_states_of_more_gpus_than_are_seen_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", found.append)
    loop._set_random_state({**loop._random_state(), "cuda": ["own", "other"]})
    assert found == [["own"]]


def fail(share: Share) -> None:
    raise RarelensError(f"process {share.rank} sees no data")


def vanish(share: Share) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("work", "said"), [(fail, "process 1 sees no data"), (vanish, "exit status -9")]
)
def test_a_process_that_is_lost_ends_the_training_with_a_sentence(
    work: Callable[[Share], None], said: str
) -> None:
    def lead() -> None:
        with shared(2, work, "train.processes") as share:
            for _ in range(100):
                share.agreed(0)
                time.sleep(0.1)

    with pytest.raises(RarelensError, match=f"^train.processes: process 1 .*{said}"):
        lead()


def wait(share: Share) -> None:
    print(f"{os.getpid()}", file=sys.stderr, flush=True)
    share.agreed(None)


LEADER = """
import sys, time
from studies.training.test_sharing import wait
from rarelens.studies.training.followers import shared
with shared(2, wait, ""):
    time.sleep(60)
"""


def test_the_others_end_with_the_first_even_if_it_is_killed() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER], stderr=subprocess.PIPE, env=environment
    )
    assert leader.stderr is not None
    follower = int(leader.stderr.readline())
    os.kill(follower, 0)
    leader.kill()
    leader.wait()
    # It holds the pipe open for as long as it is there.
    leader.stderr.read()
    for _ in range(100):
        try:
            os.kill(follower, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the follower is still there")


class Started(Exception):
    """Instead of a process."""


def test_a_gpu_for_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def popen(command: list[str], env: dict[str, str], **_: object) -> None:
        raise Started(command[-1], env["CUDA_VISIBLE_DEVICES"])

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(Started) as started:
        followers._Follower(2, ["0", "3", "7"])
    assert started.value.args == ("2", "7")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert followers._devices(2, "train.segmentation.processes") == ["2", "5"]
    message = "^train.segmentation.processes: 3 processes take a GPU each, .* sees 2; lower it"
    with pytest.raises(RarelensError, match=message):
        followers._devices(3, "train.segmentation.processes")


def test_a_batch_that_cannot_be_shared_evenly_is_refused(make_job: MakeJob) -> None:
    with pytest.raises(ValidationError, match="processes: 2 cannot share a batch_size of 3"):
        make_job(processes=2, batch_size=3)
