"""What a GPU does with rarelens: how busy a training keeps it, against what, and if it agrees.

    python benchmarks/gpu.py --output gpu.json

One GPU, ``--seconds`` (200) in all, synthetic volumes in a temporary folder, nothing downloaded,
neither DVC nor MLflow needed. On a machine without a GPU the same code runs on small volumes, and
what takes a GPU is said to be skipped. Each part runs in a process of its own: one that fails, or
takes too long, leaves the others; rows are printed, and written to ``--output``, as they come.

- ``feeding``: steps a second of a training of the study's ``unet`` (batches of 4, cross-entropy),
  fed by so many processes, and its ratio to the same step on one batch that stays on the device;
  how much of the time the GPU was busy (NVML), and the most memory that tensors took.
- ``monai``: the same training fed by MONAI's own loaders: cached volumes, four patches of one
  (``RandCropByPosNegLabeld`` with indices cached, no copies of the cache, no meta data), in
  processes, in a thread, and in a thread with the volumes on the GPU.
- ``augmented``: both with the same augmentation: ``regularisers.augmentation`` on the device, and
  MONAI's transforms in the processes that load; the ratio is to a step without any.
- ``precision``: feeding, in bfloat16 and in TensorFloat-32.
- ``flat``: feeding, with flat patches.
- ``layout``: one batch on the device, with channels first, where rarelens has them last.
- ``compiled``: the same by `torch.compile`, channels last; the time to compile is left out.
- ``logits``, ``units``: logits of a whole volume; activations of units, and their dissection,
  which computes on the CPU. Times, and the largest difference.
- ``agreement``: losses of one training's first steps, and the logits after 20 of them, on the GPU
  and on the CPU.
- ``resume``: a training killed by SIGKILL and resumed, against one that was not, and that one
  against itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Before torch is imported. Whoever has started CUDA cannot fork: NVML tells whether there is any.
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

BEGUN = time.monotonic()

from gpu_parts import feeding, results  # noqa: E402
from gpu_parts.processes import Row, start, values  # noqa: E402
from gpu_parts.setting import Setting, machine, make_data  # noqa: E402

PARTS = {
    "feeding": (feeding.cubic, 0.3),
    "agreement": (results.agreement, 0.2),
    "resume": (results.resume, 0.25),
    "logits": (results.logits, 0.2),
    "units": (results.units, 0.2),
    "monai": (feeding.monai, 0.3),
    "augmented": (feeding.augmented, 0.2),
    "precision": (feeding.precision, 0.2),
    "flat": (feeding.flat, 0.2),
    "layout": (feeding.layout, 0.1),
    "compiled": (feeding.compiled, 0.3),
}
"""What each does, and the share of the seconds that it may take at most."""


class Report:
    """Prints rows as they come, and writes all of them each time."""

    def __init__(self, output: Path | None) -> None:
        self.output, self.rows = output, []
        print("| s | part | what | result |\n|---:|---|---|---|", flush=True)

    def add(self, part: str, row: Row) -> None:
        """One more row."""
        second = time.monotonic() - BEGUN
        self.rows.append({"second": round(second, 1), "part": part, **row})
        facts = ", ".join(f"{key} {shown(value)}" for key, value in row.items() if key != "what")
        print(f"| {second:.0f} | {part} | {row['what']} | {facts} |", flush=True)
        if self.output is not None:
            self.output.write_text(json.dumps(self.rows, indent=1, default=str))


def shown(value: Any) -> str:
    """A value in few characters."""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def warned_of(log: Path) -> list[str]:
    """Operations that PyTorch says have no deterministic form."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    found = [line.partition(" does not have a deterministic")[::2] for line in lines]
    return sorted({before.rpartition("Warning: ")[2] for before, after in found if after})


def main() -> None:
    """Run the parts, as long as there is time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    arguments = parser.parse_args()
    report = Report(arguments.output)
    gpu = False
    for row in values(start(machine), 60):
        gpu = row.get("gpu", False)
        report.add("machine", row)
        if "failed" in row["what"] and "RARELENS_GPU_APART" not in os.environ:
            # An import has started CUDA, after which none can fork: with fewer imports, then.
            os.execve(
                sys.executable,
                [sys.executable, *sys.argv],
                os.environ | {"RARELENS_GPU_APART": "1"},
            )
    seconds = arguments.seconds if gpu else min(arguments.seconds, 50)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        setting, log = Setting(folder, gpu, seconds / 200), folder / "stderr.txt"
        for row in values(start(make_data, setting), 60):
            report.add("data", row)
        for name in arguments.only:
            left = seconds - (time.monotonic() - BEGUN)
            if left < 0.04 * seconds:
                report.add(name, {"what": "left out: the time is over"})
                continue
            part, share = PARTS[name]
            for row in values(start(part, setting, log=log), min(left, share * seconds)):
                report.add(name, row)
        for operation in warned_of(log):
            report.add("warnings", {"what": f"{operation}: no deterministic form"})
        if log.is_file() and any("failed" in row["what"] for row in report.rows):
            print(log.read_text(errors="replace")[-6000:], file=sys.stderr)


if __name__ == "__main__":
    main()
