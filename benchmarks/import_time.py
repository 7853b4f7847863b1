"""What `import rarelens` with one loss costs over `import torch`: at most 50 ms are allowed.

A fresh process imports torch and then the loss, and times both; so that the seconds that torch
takes, and their scatter, are not in the difference. The best of each is taken, for the rest is the
machine's. ``python benchmarks/import_time.py [rounds]``
"""

from __future__ import annotations

import subprocess
import sys

TIMED = """
from time import perf_counter
start = perf_counter()
import torch
middle = perf_counter()
from rarelens import objectives
objectives.FocalLoss
print(middle - start, perf_counter() - middle)
"""


def seconds() -> tuple[float, float]:
    """Of torch, and of the loss after it, in a fresh process."""
    command = [sys.executable, "-c", TIMED]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    torch, loss = map(float, done.stdout.split())
    return torch, loss


def main(rounds: int = 15) -> None:
    """Print the best of some rounds, after one that fills the disk's cache."""
    times = [seconds() for _ in range(rounds + 1)][1:]
    torch, loss = (min(column) for column in zip(*times, strict=True))
    print(f"import torch         {torch * 1e3:8.1f} ms")
    print(f"rarelens with a loss {loss * 1e3:8.1f} ms more, {1 + loss / torch:.4f} times")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
