"""Whether a GPU gives what a CPU does, and a training what it would have given unbroken."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from gpu_parts.processes import Row, start, values
from gpu_parts.setting import CLASSES, NAMES, UNET, Setting, job_of
from rarelens.measures.dissection import dissect
from rarelens.studies.extraction.segmentation.units import extract_units
from rarelens.studies.models.segmentation.inference import dense_logits
from rarelens.studies.models.segmentation.model import build_segmenter
from rarelens.studies.models.storage import fix_algorithms
from rarelens.studies.settings.methods import Network
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.loop import train
from rarelens.studies.training.segmentation.task import SegmentationTask

LAYERS = ("model.1.submodule.0", "model.1.submodule.2")


def _network(device: str) -> nn.Module:
    torch.manual_seed(0)
    return build_segmenter(Network(**UNET), 2, len(CLASSES)).to(device).eval()


def _timed(work: Callable[[], Any], times: int = 1) -> tuple[float, Any]:
    """The median of seconds, and the last result."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        result = work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken), result


def logits(setting: Setting) -> Iterator[Row]:
    """Of a whole volume, on both."""
    image, found = setting.data.image("case_0"), {}
    for device, tf32 in (("cuda", False), ("cuda", True), ("cpu", False))[
        0 if setting.gpu else 2 :
    ]:
        fix_algorithms(len(os.sched_getaffinity(0)), tf32)
        network = _network(device)
        work = partial(dense_logits, network, image, setting.patch)
        if device == "cuda":
            work()
        name = f"{device}, {'TensorFloat-32' if tf32 else 'float32'}"
        seconds, found[name] = _timed(work, 3 if device == "cuda" else 1)
        yield {"what": name, "seconds": seconds}
    plain = found["cpu, float32"]
    for name, other in found.items():
        if other is not plain:
            yield {
                "what": f"{name} against the CPU",
                "largest difference": float(np.abs(other - plain).max()),
                "standard deviation of logits": float(plain.std()),
                "voxels of another class": int((other.argmax(0) != plain.argmax(0)).sum()),
            }


def units(setting: Setting) -> Iterator[Row]:
    """Activations on both, and what dissection makes of them."""
    data, found = setting.data, {}
    cases, number = data.cases("pool"), 24 if setting.gpu else 8
    for device in ("cuda", "cpu") if setting.gpu else ("cpu",):
        fix_algorithms(len(os.sched_getaffinity(0)))
        network, target = _network(device), setting.folder / f"units_{device}"
        target.mkdir()
        if device == "cuda":
            dense_logits(network, data.image("case_0"), setting.patch)
        seconds, _ = _timed(
            partial(
                extract_units,
                network,
                data,
                cases,
                (1, 2),
                LAYERS,
                target,
                setting.patch,
                number,
                0,
            )
        )
        maps = [np.load(target / f"activations/{layer}.npy") for layer in LAYERS]
        masks, groups = np.load(target / "masks.npy"), pd.read_parquet(target / "tiles.parquet")
        work = partial(dissect, maps[1], masks, groups=groups["group"], permutations=19)
        dissecting, result = _timed(work)
        yield {"what": device, "seconds": seconds, "dissection (CPU) seconds": dissecting}
        found[device] = maps, result.iou
    if setting.gpu:
        (maps, iou), (others, other) = found["cpu"], found["cuda"]
        pairs = zip(maps, others, strict=True)
        apart = max(float(np.abs(a.astype(float) - b).max()) for a, b in pairs)
        yield {
            "what": "GPU against CPU",
            "largest difference of activations": apart,
            "largest activation": max(float(np.abs(each).max()) for each in maps),
            "largest difference of IoU": float(np.nanmax(np.abs(iou - other))),
        }


def _first_losses(setting: Setting, precision: str, device: str) -> Iterator[Any]:
    """Of 20 steps; then the logits of a volume, by the weights after them, in float32."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    half = max(1, len(os.sched_getaffinity(0)) // 2)
    job = job_of(
        setting, patch_size=(32, 32, 32), precision=precision, steps=20, epoch_steps=1, threads=half
    )
    checkpoints = Checkpoints(setting.folder / "none", "none")
    trained = train(job, partial(SegmentationTask, job, setting.data), checkpoints, lambda _: None)
    fix_algorithms(half)
    network = _network(trained.device)
    network.load_state_dict(trained.weights)
    image = setting.data.image("case_0")[:, :56, :56, :40]
    yield {
        "device": trained.device.partition(":")[0],
        "losses": np.array([row["loss"] for row in trained.progress.history]),
        "logits": dense_logits(network, image, (32, 32, 32)),
    }


def agreement(setting: Setting) -> Iterator[Row]:
    """Losses of the first 20 steps, and the logits after them, each against the CPU's."""
    kinds = [("no", "cpu"), ("bf16", "cpu")]
    if setting.gpu:
        kinds = [("no", "cpu"), *((each, "cuda") for each in ("no", "tf32", "bf16"))]
    running = [start(_first_losses, setting, *kind) for kind in kinds]
    plain, *others = [next(values(each, 40)) for each in running]
    losses, logits = plain["losses"], plain["logits"]
    yield {"what": "float32, cpu", "first loss": losses[0], "20th loss": losses[-1]}
    for (precision, _), other in zip(kinds[1:], others, strict=True):
        if "losses" not in other:
            yield {"what": f"{NAMES[precision]}: {other['what']}"}
            continue
        apart = np.abs(other["losses"] - losses) / losses
        yield {
            "what": f"{NAMES[precision]}, {other['device']}, against it",
            **{f"loss {n} differs by": float(apart[n - 1]) for n in (1, 2, 10, 20)},
            "largest difference of logits": float(np.abs(other["logits"] - logits).max()),
            "their standard deviation": float(logits.std()),
            "voxels of another class": int((other["logits"].argmax(0) != logits.argmax(0)).sum()),
            "voxels": logits[0].size,
        }
    if not setting.gpu:
        yield {"what": "GPU against CPU: skipped, no GPU"}


def _train_to(setting: Setting, name: str, file: str, kill_at: int | None) -> Iterator[Any]:
    """Train with dropout, killed or not; give what steps this process took."""
    network = {**UNET, "dropout": 0.2}
    job = job_of(setting, network=network, patch_size=(32, 32, 32), steps=24, epoch_steps=4,
                 checkpoint_epochs=1, workers=2)  # fmt: skip
    rows: list[int] = []

    def on_epoch(row: dict[str, float]) -> None:
        rows.append(int(row["step"]))
        if row["step"] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoints = Checkpoints(setting.folder / name, "job")
    trained = train(job, partial(SegmentationTask, job, setting.data), checkpoints, on_epoch)
    weights = {key: value.cpu().contiguous() for key, value in trained.weights.items()}
    save_file(weights, setting.folder / f"{file}.safetensors")
    yield {"steps": rows, "device": trained.device}


def resume(setting: Setting) -> Iterator[Row]:
    """Killed at step 12 of 24 and resumed, against unbroken, and unbroken twice."""
    runs = {"unbroken": None, "again": None, "killed": 12}
    running = [start(_train_to, setting, name, name, kill) for name, kill in runs.items()]
    ended = [list(values(each, 60)) for each in running]
    codes = [process.exitcode for process, _ in running]
    resumed = list(values(start(_train_to, setting, "killed", "killed", None), 60))
    yield {"what": "ended with", "unbroken": ended[0], "exit codes": codes, "resumed": resumed}
    plain = load_file(setting.folder / "unbroken.safetensors")
    for name, what in (("again", "unbroken, again"), ("killed", "killed and resumed")):
        other = load_file(setting.folder / f"{name}.safetensors")
        same = all(torch.equal(plain[key], other[key]) for key in plain)
        apart = max(float((plain[key].double() - other[key]).abs().max()) for key in plain)
        yield {
            "what": f"{what} against unbroken",
            "same bytes": same,
            "largest difference of weights": apart,
        }
