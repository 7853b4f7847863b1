"""What cores give real trainings: one with several threads, or several with one each.

Prints steps a second of all trainings together, and as a share of those of one thread alone times
the cores: ``OMP_WAIT_POLICY=passive python benchmarks/threads.py --cores 2``. The trainings are of
the study's ``unet``, cross-entropy, four patches of 2×40³ a step, on synthetic volumes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from gpu_parts.setting import Setting, job_of, make_data

from rarelens.studies.training import loop
from rarelens.studies.training.checkpoints import Checkpoints
from rarelens.studies.training.segmentation.task import SegmentationTask

WARM_UP = 3


def train(folder: Path, threads: int, seconds: float, begin: Any, rates: Any) -> None:
    """Take steps for so long, from when all are ready; tells steps a second."""
    setting = Setting(folder, gpu=False, scale=1)
    changes = {"threads": threads, "batch_size": 4, "epoch_steps": 1, "margin_patches": 0}
    job = job_of(setting, patch_size=(40, 40, 40), **changes)
    taken, until = 0, float("inf")

    def epoch(_: object) -> None:
        nonlocal taken, until
        taken += 1
        if taken == WARM_UP:
            begin.wait()
            until = time.perf_counter() + seconds
        if time.perf_counter() > until:
            raise KeyboardInterrupt

    try:
        scratch = Checkpoints(folder / f"scratch{multiprocessing.current_process().pid}", "x")
        loop.train(job, partial(SegmentationTask, job, setting.data), scratch, epoch)
    except KeyboardInterrupt:
        rates.put((taken - WARM_UP) / (time.perf_counter() - until + seconds))


def main() -> None:
    """Measure each way in turn, twice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    cores, context = options.cores, multiprocessing.get_context("spawn")
    ways = [(1, 1), (1, cores), (cores, 1), (cores, cores)]
    rates: dict[tuple[int, int], list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as scratch:
        list(make_data(Setting(Path(scratch), gpu=False, scale=1)))
        for trainings, threads in ways * 2:
            begin, told = context.Barrier(trainings), context.Queue()
            given = (Path(scratch), threads, options.seconds, begin, told)
            started = [context.Process(target=train, args=given) for _ in range(trainings)]
            for each in started:
                each.start()
            total = sum(told.get(timeout=20 * options.seconds) for _ in started)
            for each in started:
                each.join()
            rates[trainings, threads].append(total)
    alone = max(rates[1, 1])
    print("| trainings | threads each | steps/s of all | of one thread's, times cores used |")
    print("|---:|---:|---:|---:|")
    for (trainings, threads), found in rates.items():
        used = min(cores, trainings * threads)
        print(f"| {trainings} | {threads} | {max(found):.1f} | {max(found) / alone / used:.2f} |")


if __name__ == "__main__":
    main()
