"""Cost of each objective, forward and backward, as ratios to PyTorch's cross-entropy.

Prints a Markdown table. Run it on a quiet machine: ``python benchmarks/objectives.py``.

Time: every round runs all objectives one after another on the same logits. "Median" is that of the
ratios of an objective's time to cross-entropy's in the same round, so that a slow spell of the
machine falls on both; "fastest" is the ratio of the shortest times of all rounds.

Memory: the peak of what PyTorch's allocator hands out from the call of the loss to the end of its
backward pass, as its profiler records it: all tensors saved or temporary, and the gradient of the
logits, but not logits and target, which exist beforehand.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from monai.losses import FocalLoss as MonaiFocalLoss
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from rarelens.components import objectives as o

Loss = Callable[[Tensor, Tensor], Tensor]
SHAPE = (2, 4, 64, 64, 64)
COUNTS = [1000.0, 100.0, 30.0, 10.0]
RARE = [1, 3]
BASELINE = "F.cross_entropy"
# The largest ratios of time and memory that are accepted.
LIMITS = {
    "large margin": (1.6, None),
    "asymmetric large margin": (1.6, None),
    "focal": (2.1, 2.0),
    "asymmetric focal": (2.1, 2.0),
}


def losses() -> dict[str, Loss]:
    """The objectives to time, the baseline first."""
    monai = MonaiFocalLoss(to_onehot_y=True, use_softmax=True)
    return {
        BASELINE: F.cross_entropy,
        "cross-entropy": o.CrossEntropyLoss(),
        "weighted cross-entropy": o.WeightedCrossEntropyLoss(COUNTS),
        "top-k cross-entropy": o.TopKCrossEntropyLoss(0.1),
        "large margin": o.LargeMarginLoss(1.0),
        "asymmetric large margin": o.LargeMarginLoss(1.0, RARE),
        "focal": o.FocalLoss(2.0),
        "asymmetric focal": o.FocalLoss(2.0, RARE),
        "asymmetric focal margin": o.FocalMarginLoss(2.0, 1.0, RARE),
        "logit-adjusted": o.LogitAdjustedLoss(COUNTS),
        "LDAM": o.LDAMLoss(COUNTS),
        "vector scaling": o.VectorScalingLoss(COUNTS),
        "Dice": o.DiceLoss(),
        "generalised Dice": o.GeneralisedDiceLoss(),
        "Tversky": o.TverskyLoss(),
        "focal Tversky": o.FocalTverskyLoss(),
        "asymmetric focal Dice": o.FocalDiceLoss(4.0, RARE),
        "asymmetric unified focal": o.AsymmetricUnifiedFocalLoss(rare_classes=RARE),
        "cross-entropy + Dice": o.DiceCrossEntropyLoss(),
        "asymmetric focal margin + focal Dice": o.CompoundLoss(
            [o.FocalMarginLoss(4.0, 1.0, RARE), o.FocalDiceLoss(4.0, RARE)]
        ),
        "MONAI FocalLoss": lambda logits, target: monai(logits, target.unsqueeze(1)),
    }


def step(loss: Loss, logits: Tensor, target: Tensor) -> None:
    """One forward and backward pass."""
    logits.grad = None
    torch.autograd.backward(loss(logits, target))


def seconds(loss: Loss, logits: Tensor, target: Tensor) -> float:
    """Wall time of one step."""
    start = time.perf_counter()
    step(loss, logits, target)
    return time.perf_counter() - start


def peak_bytes(loss: Loss, logits: Tensor, target: Tensor) -> int:
    """The most that is allocated at once during a step, above what is there before it."""
    logits.grad = None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        torch.autograd.backward(loss(logits, target))
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        record.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    memory = sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"])
    held, peak = 0, 0
    for event in memory:
        held += event["args"]["Bytes"]
        peak = max(peak, held)
    return peak


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(SHAPE, generator=generator).requires_grad_()
    target = torch.randint(SHAPE[1], (SHAPE[0], *SHAPE[2:]), generator=generator)
    table = losses()
    for loss in table.values():
        step(loss, logits, target)
    peaks = {name: peak_bytes(loss, logits, target) for name, loss in table.items()}
    rounds = [
        {name: seconds(loss, logits, target) for name, loss in table.items()}
        for _ in range(arguments.rounds)
    ]
    print_table(rounds, peaks, arguments.threads)


def print_table(rounds: list[dict[str, float]], peaks: dict[str, int], threads: int) -> None:
    """Ratios to the baseline, and the limits where there are any."""
    fastest = {name: min(times[name] for times in rounds) for name in peaks}
    print(f"Logits {SHAPE}, float32, {threads} threads, torch {torch.__version__}.")
    print(f"{BASELINE}: {1e3 * fastest[BASELINE]:.1f} ms, {peaks[BASELINE] / 2**20:.1f} MiB.\n")
    print("| objective | time, median | time, fastest | peak memory | at most |")
    print("|---|---:|---:|---:|---|")
    for name, peak in peaks.items():
        median = statistics.median(times[name] / times[BASELINE] for times in rounds)
        best = fastest[name] / fastest[BASELINE]
        time_limit, memory_limit = LIMITS.get(name, (None, None))
        limit = f"{time_limit}× time" if time_limit else ""
        limit += f", {memory_limit}× memory" if memory_limit else ""
        print(f"| {name} | {median:.2f} | {best:.2f} | {peak / peaks[BASELINE]:.2f} | {limit} |")


if __name__ == "__main__":
    main()
