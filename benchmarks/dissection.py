"""Time of network dissection against a plainly batched version, on the same work in one run.

    python benchmarks/dissection.py

256 units, 500 images, maps of 28², masks of 112², eight concepts, of which an image holds one or
two as boxes. Two kinds of activations: independent noise, the hardest for dissection since active
positions are scattered, and smooth rectified noise, which is more like those of networks.

The peer is what a user of PyTorch would write: of 64 images at once, upsample all units
(`F.interpolate`), compare with their quantiles, and multiply the binary maps with the concepts'
masks. Rounds alternate between the two, so that a slow spell of the machine falls on both; the
ratio is that of the shortest times. IoUs have to agree to 1e-6.

    python benchmarks/dissection.py --level 500   # simulated layers

The chance of units beyond the null where there is nothing to detect: 32 units and four concepts on
30 patients with 1, 12 or 1 to 24 images, whose activations and masks both resemble each other
within a patient. Of each rule, the share of pairs, and of layers with any, beyond the null; and the
share of layers in which a planted detector, active inside one concept, is found. ``images,
uncorrected`` is the rule that stood here before:

| images | rule | pairs | layers with any | also IoU/ceiling > .25 | planted |
|---|---|---:|---:|---:|---:|
| 1 | images, uncorrected | 2.8 % | 96.4 % | 57.2 % | 90.6 % |
| 1 | patients, corrected | 0.0 % | 5.2 % | 5.2 % | 72.6 % |
| 12 | images, uncorrected | 14.9 % | 100.0 % | 1.4 % | 96.0 % |
| 12 | patients, corrected | 0.0 % | 5.8 % | 0.6 % | 96.0 % |
| 1 to 24 | images, uncorrected | 15.2 % | 100.0 % | 3.8 % | 94.8 % |
| 1 to 24 | patients, corrected | 0.0 % | 3.4 % | 1.0 % | 93.8 % |
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
BATCH = 64
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


def batched(activations: NDArray[Any], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """IoU (K, C), 64 images at a time."""
    units = range(activations.shape[1])
    exact = [np.quantile(activations[:, k].astype(np.float64), 1 - QUANTILE) for k in units]
    # Rounded down, so that float32 values exceed them where they exceed the exact ones.
    limits = np.array(exact, np.float32)
    limits = np.where(limits > exact, np.nextafter(limits, np.float32(-np.inf)), limits)
    thresholds = torch.from_numpy(limits)[:, None, None]
    shared, active = torch.zeros(len(units), CONCEPTS), torch.zeros(len(units), 1)
    for start in range(0, len(activations), BATCH):
        own = torch.from_numpy(activations[start : start + BATCH].astype(np.float32))
        maps = (F.interpolate(own, (SIZE, SIZE), mode="bilinear") > thresholds).float().flatten(2)
        regions = torch.from_numpy(masks[start : start + BATCH]).float().flatten(2)
        shared += (maps @ regions.transpose(1, 2)).sum(0)
        active += maps.sum((0, 2))[:, None]
    areas = torch.from_numpy(masks.sum(axis=(0, 2, 3)))
    return (shared / (active + areas - shared)).double().numpy()


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time, and the result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure(name: str, activations: NDArray[Any], rounds: int) -> None:
    """Print a row of the table."""
    masks = boxes(np.random.default_rng(1))
    peer, ours, null = [], [], []
    for _ in range(rounds):
        taken, expected = seconds(lambda: batched(activations, masks))
        peer.append(taken)
        taken, found = seconds(lambda: dissect(activations, masks, QUANTILE))
        ours.append(taken)
        taken, _ = seconds(lambda: dissect(activations, masks, QUANTILE, permutations=100))
        null.append(taken)
        worst = np.abs(found.iou - expected).max()
        if worst > 1e-6:
            raise SystemExit(f"the IoUs differ by {worst:.2g}")
    ratio = min(peer) / min(ours)
    print(
        f"| {name} | {min(peer):.1f} s | {min(ours):.2f} s | {ratio:.0f}× | ≥ {AT_LEAST}× "
        f"| {min(null):.2f} s |"
    )


PATIENTS = 30
NUMBERS = {"1": (1, 1), "12": (12, 12), "1 to 24": (1, 24)}


def clustered(
    rng: np.random.Generator, numbers: tuple[int, int], planted: float = 0
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """Activations (N, 32, 7, 7), unit 0 raised inside concept 0, masks (N, 4, 14, 14), patients."""
    images = rng.integers(numbers[0], numbers[1] + 1, PATIENTS)
    patient = np.repeat(np.arange(PATIENTS), images)
    own, common = (rng.standard_normal((n, 32, 7, 7)) for n in (len(patient), PATIENTS))
    gain = rng.lognormal(0, 0.5, (PATIENTS, 32, 1, 1))[patient]
    masks = np.zeros((len(patient), 4, 14, 14), np.bool_)
    for concept in range(4):
        has, corner = rng.random(PATIENTS) < 0.5, rng.integers(0, 8, (PATIENTS, 2))
        for image in np.flatnonzero(has[patient] & (rng.random(len(patient)) < 0.8)):
            y, x = corner[patient[image]] + rng.integers(-1, 2, 2).clip(-corner[patient[image]])
            masks[image, concept, y : y + 5, x : x + 5] = True
    values = gain * (own + common[patient])
    values[:, 0] += planted * masks[:, 0, ::2, ::2]
    return values.astype(np.float32), masks, patient


def level(layers: int) -> None:
    """Print the table of false and true detections."""
    print("| images | rule | pairs | layers with any | also IoU/ceiling > .25 | planted |")
    print("|---|---|---:|---:|---:|---:|")
    for name, numbers in NUMBERS.items():
        counts: dict[str, list[Any]] = {"images, uncorrected": [], "patients, corrected": []}
        for draw in range(layers):
            rng = np.random.default_rng([7, draw])
            *nothing, patient = clustered(rng, numbers)
            *something, patient_too = clustered(rng, numbers, planted=4)
            for rule, rows in counts.items():
                row: list[Any] = []
                for data, groups in ((nothing, patient), (something, patient_too)):
                    asked = groups if rule.startswith("patients") else None
                    found = dissect(*data, 0.02, groups=asked, permutations=99, seed=draw)
                    beyond = found.iou > found.null
                    if asked is not None:
                        beyond = found.p_corrected <= 0.05
                    strong = beyond & (np.nan_to_num(found.iou_over_ceiling) > 0.25)
                    row += [beyond.mean(), beyond.any(), strong.any(), strong[0, 0]]
                rows.append([row[0], row[1], row[2], row[-1]])
        for rule, rows in counts.items():
            shares = " | ".join(f"{100 * share:.1f} %" for share in np.mean(rows, axis=0))
            print(f"| {name} | {rule} | {shares} |", flush=True)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--level", type=int, metavar="LAYERS", help="print the table of levels")
    arguments = parser.parse_args()
    if arguments.level:
        level(arguments.level)
        return
    torch.set_num_threads(arguments.threads)
    print(
        f"{UNITS} units × {IMAGES} images × {GRID}² maps, masks {SIZE}², {CONCEPTS} concepts, "
        f"{arguments.threads} threads, torch {torch.__version__}.\n"
    )
    print("| activations | batched | dissect | ratio | at least | dissect with 100 exchanges |")
    print("|---|---:|---:|---:|---|---:|")
    for make in (noise, smooth):
        activations = make(np.random.default_rng(0))
        measure(make.__name__, activations, arguments.rounds)


if __name__ == "__main__":
    main()
