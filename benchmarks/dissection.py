"""Time of network dissection against a straightforward loop, on the same work in one run.

    python benchmarks/dissection.py

256 units, 500 images, maps of 28², masks of 112², eight concepts, of which an image holds one or
two as boxes. Two kinds of activations: independent noise, the hardest for dissection since active
positions are scattered, and smooth rectified noise, which is more like those of networks.

The loop goes unit by unit and image by image: upsample, compare with the unit's quantile, count
shared and joint pixels of each concept. It is timed on every eighth unit, and the time is
multiplied accordingly. Rounds alternate between the two, so that a slow spell of the machine
falls on both; the ratio is that of the shortest times. IoUs have to agree to 1e-6.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from torch.nn import functional as F

from rarelens.measures.dissection import dissect

UNITS, IMAGES, GRID, SIZE, CONCEPTS = 256, 500, 28, 112, 8
QUANTILE = 0.005
EVERY = 8
AT_LEAST = 20


def noise(rng: np.random.Generator) -> NDArray[np.float16]:
    """Independent at each position."""
    return rng.standard_normal((IMAGES, UNITS, GRID, GRID), np.float32).astype(np.float16)


def smooth(rng: np.random.Generator) -> NDArray[np.float16]:
    """Averaged over 3² positions, and rectified."""
    values = rng.standard_normal((IMAGES, UNITS, GRID, GRID), np.float32)
    averaged = uniform_filter(values, size=(1, 1, 3, 3))
    return np.asarray(np.maximum(averaged, 0), np.float16)


def boxes(rng: np.random.Generator) -> NDArray[np.bool_]:
    """One or two boxes an image, of random concepts."""
    masks = np.zeros((IMAGES, CONCEPTS, SIZE, SIZE), np.bool_)
    for image in masks:
        for concept in rng.choice(CONCEPTS, rng.integers(1, 3), replace=False):
            y, x = rng.integers(0, SIZE // 2, 2)
            height, width = rng.integers(SIZE // 8, SIZE // 2, 2)
            image[concept, y : y + height, x : x + width] = True
    return masks


def straightforward(activations: NDArray[Any], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """IoU (K, C), by unit and image."""
    units = activations.shape[1]
    shared, joint = np.zeros((units, CONCEPTS)), np.zeros((units, CONCEPTS))
    for unit in range(units):
        values = activations[:, unit].astype(np.float32)
        threshold = np.quantile(values.astype(np.float64), 1 - QUANTILE)
        for image, one in enumerate(values):
            upsampled = F.interpolate(
                torch.from_numpy(one)[None, None], (SIZE, SIZE), mode="bilinear"
            )
            active = upsampled[0, 0].numpy() > threshold
            for concept, mask in enumerate(masks[image]):
                shared[unit, concept] += np.count_nonzero(active & mask)
                joint[unit, concept] += np.count_nonzero(active | mask)
    return shared / joint


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time, and the result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure(name: str, activations: NDArray[Any], rounds: int) -> None:
    """Print a row of the table."""
    masks = boxes(np.random.default_rng(1))
    loop, ours, null = [], [], []
    for _ in range(rounds):
        part, expected = seconds(lambda: straightforward(activations[:, ::EVERY], masks))
        loop.append(EVERY * part)
        taken, found = seconds(lambda: dissect(activations, masks, QUANTILE))
        ours.append(taken)
        taken, _ = seconds(lambda: dissect(activations, masks, QUANTILE, permutations=100))
        null.append(taken)
        worst = np.abs(found.iou[::EVERY] - expected).max()
        if worst > 1e-6:
            raise SystemExit(f"the IoUs differ by {worst:.2g}")
    ratio = min(loop) / min(ours)
    print(
        f"| {name} | {min(loop):.1f} s | {min(ours):.2f} s | {ratio:.0f}× | ≥ {AT_LEAST}× "
        f"| {min(null):.2f} s |"
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"{UNITS} units × {IMAGES} images × {GRID}² maps, masks {SIZE}², {CONCEPTS} concepts, "
        f"{arguments.threads} threads, torch {torch.__version__}.\n"
    )
    print("| activations | loop | dissect | ratio | at least | dissect with 100 exchanges |")
    print("|---|---:|---:|---:|---|---:|")
    for make in (noise, smooth):
        activations = make(np.random.default_rng(0))
        measure(make.__name__, activations, arguments.rounds)


if __name__ == "__main__":
    main()
