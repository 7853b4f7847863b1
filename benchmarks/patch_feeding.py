"""Training patches a second: the sampler's batches, bare slicing at the same places, and MONAI.

Volumes of two channels of 128³ (float16, in memory), patches of 64³, batches of four, one thread.
Bare slicing copies image and label of each patch into fresh arrays of the same types, and draws
nothing. MONAI caches the volumes and crops by foreground, one patch or four of a volume. Rounds
alternate; the best of each counts. Prints a Markdown table: ``python benchmarks/patch_feeding.py``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from monai.data import CacheDataset, DataLoader, list_data_collate
from monai.transforms import Compose, EnsureTyped, FgBgToIndicesd, RandCropByPosNegLabeld
from numpy.typing import NDArray

from rarelens.studies.data.segmentation.patches import PatchSampler

SIDE, PATCH, BATCH, CASES, STEPS = 128, 64, 4, 8, 40


class Volumes:
    """What the sampler asks of a prepared dataset."""

    channels = ("a", "b")

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.images: dict[str, NDArray[Any]] = {}
        self.labels: dict[str, NDArray[Any]] = {}
        for number in range(CASES):
            shape = (2, SIDE, SIDE, SIDE)
            self.images[f"c{number}"] = rng.standard_normal(shape, np.float32).astype(np.float16)
            label = np.zeros(shape[1:], np.uint8)
            at = rng.integers(0, SIDE - 16, 3)
            label[tuple(slice(a, a + 16) for a in at)] = 1
            self.labels[f"c{number}"] = label
        voxels = [np.bincount(each.ravel()) for each in self.labels.values()]
        self.table = pd.DataFrame({"voxels": voxels}, index=list(self.images))

    def image(self, case: str) -> NDArray[Any]:
        """(C, X, Y, Z)."""
        return self.images[case]

    def label(self, case: str) -> NDArray[Any]:
        """(X, Y, Z)."""
        return self.labels[case]

    def foreground(self, case: str) -> NDArray[Any]:
        """Flat indices of class 1."""
        return np.flatnonzero(self.labels[case])


def bare(data: Volumes) -> Callable[[], None]:
    """Slices and copies."""
    rng = np.random.default_rng(1)
    cases = list(data.images)
    places = rng.integers(0, SIDE - PATCH, (STEPS, BATCH, 3))
    chosen = rng.integers(0, CASES, (STEPS, BATCH))

    def go() -> None:
        for starts, which in zip(places, chosen, strict=True):
            images = np.empty((BATCH, 2, PATCH, PATCH, PATCH), np.float32)
            labels = np.empty((BATCH, PATCH, PATCH, PATCH), np.uint8)
            for i, (start, k) in enumerate(zip(starts, which, strict=True)):
                x, y, z = (slice(a, a + PATCH) for a in start)
                images[i] = data.images[cases[k]][:, x, y, z]
                labels[i] = data.labels[cases[k]][x, y, z]

    return go


def sampled(data: Volumes) -> Callable[[], None]:
    """The study's own."""
    sampler = PatchSampler(data, list(data.images), (PATCH,) * 3, BATCH, 0.5, 0)  # type: ignore[arg-type]

    def go() -> None:
        for step in range(STEPS):
            sampler.batch(step)

    return go


def monai(data: Volumes, of_one: int) -> Callable[[], None]:
    """A cached dataset and a loader in this process."""
    keys = ["image", "label"]
    where = {"fg_indices_key": "label_fg_indices", "bg_indices_key": "label_bg_indices"}
    crop = RandCropByPosNegLabeld(keys, "label", (PATCH,) * 3, num_samples=of_one, **where)
    items = [{"image": data.images[c], "label": data.labels[c][None]} for c in data.images]
    count = BATCH // of_one
    repeated = items * (count * STEPS // CASES)
    typed = EnsureTyped(keys, dtype=(torch.float32, torch.uint8))
    steps = Compose([FgBgToIndicesd("label"), typed, crop])
    cached = CacheDataset(repeated, steps, num_workers=1, progress=False, hash_as_key=True)
    loader = DataLoader(cached, batch_size=count, collate_fn=list_data_collate)

    def go() -> None:
        for _ in loader:
            pass

    return go


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = Volumes()
    ways = {
        "bare slicing": bare(data),
        "PatchSampler": sampled(data),
        "MONAI, one patch of a volume": monai(data, 1),
        "MONAI, four of a volume": monai(data, 4),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, go in ways.items():
            begun = time.perf_counter()
            go()
            taken[name].append(time.perf_counter() - begun)
    print("| | patches a second | of bare slicing |\n|---|---|---|")
    first = min(taken["bare slicing"])
    for name, seconds in taken.items():
        print(f"| {name} | {STEPS * BATCH / min(seconds):.0f} | {first / min(seconds):.2f} |")


if __name__ == "__main__":
    main()
