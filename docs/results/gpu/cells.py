"""Train, extract and analyse cells side by side on a machine that has neither DVC nor MLflow.

``python docs/results/gpu/cells.py CELLS --processes 16 --seconds 500``, in a working copy with
``data/prepared``; a line of CELLS is: task dataset network method fraction seed. The stages' own
functions run, with the working copy's ``params.yaml``; nothing vouches for their code, and what
comes out belongs in no lock. No cell is begun when it could not end within the seconds.
"""

import argparse
import importlib
import inspect
import multiprocessing
import os
import sys
import time
import traceback
import types
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path


def prepare() -> None:
    """Stages are imported once, before the processes are forked; tracking is left out."""
    live = types.ModuleType("rarelens.pipeline.tracking.live")
    sys.modules[live.__name__] = live
    sys.path[:0] = ["src", "stages"]
    from rarelens.studies.training.run import Unobserved

    live.LiveRun = Unobserved


def stage(name: str):
    """The function under a stage's decorators."""
    return inspect.unwrap(importlib.import_module(name).main)


def run(line: str) -> str:
    """All stages of one cell; returns what to print of it."""
    task, *cell = line.split()
    told = [line]
    try:
        for step in ("train", "extract", "analyse"):
            begun = time.perf_counter()
            extra = {"code": "outside DVC"} if step == "train" else {}
            with Path(os.devnull).open("w") as no, redirect_stdout(no), redirect_stderr(no):
                stage(f"{step}_{task}")(*cell, **extra)
            told.append(f"{step} {time.perf_counter() - begun:.1f}")
    except Exception:
        told.append(traceback.format_exc(limit=-4))
    return " ".join(told)


def main() -> None:
    """Keep as many cells running as there are processes, in the order of the list."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cells", type=Path)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=500)
    options = parser.parse_args()
    begun = time.monotonic()
    prepare()
    lines = options.cells.read_text().splitlines()
    for task in {line.split()[0] for line in lines}:
        for step in ("train", "extract", "analyse"):
            stage(f"{step}_{task}")
    print(f"imported in {time.monotonic() - begun:.1f} s", flush=True)
    longest: dict[str, float] = {}
    pending, running = list(lines), {}
    with multiprocessing.get_context("fork").Pool(options.processes) as pool:
        while pending or running:
            for line, (result, since) in list(running.items()):
                if result.ready():
                    del running[line]
                    used = time.monotonic() - since
                    kind = " ".join(line.split()[1:3])
                    longest[kind] = max(used, longest.get(kind, 0))
                    print(f"{time.monotonic() - begun:.0f} s: {result.get()}", flush=True)
            left = options.seconds - (time.monotonic() - begun)
            if left < 0:
                break
            fits = [p for p in pending if longest.get(" ".join(p.split()[1:3]), 0) < left]
            if fits and len(running) < options.processes:
                pending.remove(fits[0])
                running[fits[0]] = (pool.apply_async(run, (fits[0],)), time.monotonic())
            elif not fits and not running:
                break
            else:
                time.sleep(0.1)
        pool.terminate()
    print(f"{len(pending)} not begun, {len(running)} broken off", flush=True)


if __name__ == "__main__":
    main()
