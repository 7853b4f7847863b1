"""The machine-readable record of a training: time, throughput, memory, environment.

It differs from run to run, and so lies beside the model, where no stage depends on it.
"""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import torch

# Those whose versions change weights.
NUMERIC_PACKAGES = ("accelerate", "monai", "numpy", "torch")


def describe_run(
    seconds: float, steps_per_second: float, batch_size: int, unit: str
) -> dict[str, Any]:
    """Seconds, throughput (in ``unit``) and peak memory (MiB) of this process, and where it ran."""
    # ru_maxrss counts KiB, but bytes on macOS.
    kib = 1024 if sys.platform == "darwin" else 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kib / 1024
    record: dict[str, Any] = {
        "seconds": round(seconds, 2),
        "steps_per_second": round(steps_per_second, 3),
        f"{unit}_per_second": round(steps_per_second * batch_size, 2),
        "peak_memory_mib": round(memory, 1),
        "environment": {
            "python": platform.python_version(),
            "system": platform.system(),
            "machine": platform.machine(),
            "threads": torch.get_num_threads(),
            **{name: version(name) for name in (*NUMERIC_PACKAGES, "rarelens")},
        },
    }
    if torch.cuda.is_available():
        record["gpu"] = torch.cuda.get_device_name()
        record["peak_gpu_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return record


def git_commit() -> str:
    """The checked-out commit, marked ``+`` where tracked files differ from it; or "unknown"."""
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()
