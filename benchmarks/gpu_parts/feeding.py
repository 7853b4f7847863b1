"""Steps a second of a training, by what feeds it."""

from __future__ import annotations

import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from accelerate.state import AcceleratorState

from gpu_parts.processes import Row
from gpu_parts.setting import NAMES, Setting, job_of
from gpu_parts.supply import constant, monai_fed
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.loop import train
from rarelens.studies.training.segmentation.job import SegmentationJob
from rarelens.studies.training.segmentation.task import SegmentationTask

PLAIN = torch.contiguous_format
AUGMENTATION = {"augmentation": {"rotation": 15.0}}


class Busy:
    """Share of the time that the GPU computed, by NVML, while the block runs; None without."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, int]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Busy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def since(self, second: float) -> int | None:
        """Mean in percent."""
        found = [share for at, share in self.samples if at > second]
        return round(statistics.mean(found)) if found else None

    def _watch(self) -> None:
        with suppress(Exception):
            import pynvml

            pynvml.nvmlInit()
            handle = pynvml.nvmlDeviceGetHandleByIndex(0)
            while not self._over.wait(0.1):
                share = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
                self.samples.append((time.perf_counter(), share))


class Enough(Exception):  # noqa: N818
    """A training that has been measured."""


def measured(job: SegmentationJob, setting: Setting, make: Callable[..., Any] | None = None) -> Row:
    """Steps a second of a training, its first epoch apart, and what it takes of the GPU."""
    stamps: list[tuple[int, float]] = []

    def on_epoch(row: dict[str, float]) -> None:
        stamps.append((int(row["step"]), time.perf_counter()))
        if len(stamps) > 2 and stamps[-1][1] - stamps[0][1] > setting.seconds:
            raise Enough

    fresh()
    make_task = (
        partial(make, job, setting) if make else partial(SegmentationTask, job, setting.data)
    )
    with Busy() as busy, suppress(Enough):
        train(job, make_task, Checkpoints(setting.folder / "none", "none"), on_epoch)
    (first, begun), (last, ended) = stamps[0], stamps[-1]
    row: Row = {"steps/s": (last - first) / (ended - begun)}
    if setting.gpu:
        row["busy %"] = busy.since(begun)
        row["MiB"] = torch.cuda.max_memory_allocated() // 2**20
    return row


def fresh() -> None:
    """Forget the training before."""
    AcceleratorState._reset_state(reset_partial_state=True)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.init()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _compared(
    what: str, base: float, job: SegmentationJob, setting: Setting, make: Any = None
) -> Row:
    """A measurement with its ratio to ``base`` steps a second; or how it failed."""
    try:
        row = measured(job, setting, make)
    except Exception as error:
        return {"what": f"{what}: failed: {type(error).__name__}: {' '.join(str(error).split())}"}
    return {"what": what, **row, "ratio": row["steps/s"] / base}


def _base(setting: Setting, name: str, **changes: Any) -> Row:
    return {
        "what": f"{name}: one batch on the device",
        **measured(job_of(setting, **changes), setting, constant),
    }


def _fed(setting: Setting, workers: tuple[int, ...], **changes: Any) -> Iterator[Row]:
    patch = "×".join(map(str, changes["patch_size"]))
    name = f"{patch}, {NAMES[changes.get('precision', 'no')]}"
    yield (base := _base(setting, name, **changes))
    for number in workers:
        job = job_of(setting, workers=number, **changes)
        yield _compared(f"{name}: {number} processes", base["steps/s"], job, setting)


def cubic(setting: Setting) -> Iterator[Row]:
    """Cubic patches."""
    yield from _fed(setting, setting.workers, patch_size=setting.patch)


def flat(setting: Setting) -> Iterator[Row]:
    """Flat patches."""
    yield from _fed(setting, setting.workers[1:], patch_size=setting.flat_patch)


def precision(setting: Setting) -> Iterator[Row]:
    """Other precisions."""
    for each in ("bf16", "tf32") if setting.gpu else ("bf16",):
        yield from _fed(setting, setting.workers[2:3], patch_size=setting.patch, precision=each)


def layout(setting: Setting) -> Iterator[Row]:
    """One batch on the device, its channels first, and the network's."""
    for each, name in NAMES.items():
        job = job_of(setting, precision=each)
        yield {"what": name, **measured(job, setting, partial(constant, form=PLAIN))}


def compiled(setting: Setting) -> Iterator[Row]:
    """One batch on the device, the network compiled by `torch.compile`."""
    for each in ("no", "bf16"):
        job = job_of(setting, precision=each)
        row = measured(job, setting, partial(constant, compiled=True))
        yield {"what": NAMES[each], **row}


def monai(setting: Setting) -> Iterator[Row]:
    """MONAI's loaders."""
    yield (base := _base(setting, "float32"))
    number = setting.workers[-1]
    own = job_of(setting, workers=number)
    yield _compared(f"rarelens, {number} processes", base["steps/s"], own, setting)
    for kind in ("processes", "thread", *(["thread, GPU"] if setting.gpu else [])):
        make = partial(monai_fed, kind=kind)
        yield _compared(f"MONAI, {kind}", base["steps/s"], job_of(setting), setting, make)


def augmented(setting: Setting) -> Iterator[Row]:
    """With augmentation: on the device, and by MONAI's transforms in the processes."""
    yield (base := _base(setting, "float32"))
    for each in setting.workers[1:3]:
        own = job_of(setting, workers=each, regularisers=AUGMENTATION)
        yield _compared(f"rarelens, {each} processes", base["steps/s"], own, setting)
    number = setting.workers[-1]
    make = partial(monai_fed, kind="processes", augmented=True)
    yield _compared(f"MONAI, {number} processes", base["steps/s"], job_of(setting), setting, make)
